# Every task a person runs. `make` alone prints them.

VENV := .venv
FITS := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))
TORCH_FITS := import sys; from importlib.metadata import version; sys.exit(tuple(map(int, version("torch").split(".")[:2])) < (2, 10))
PYTHON ?= $(shell for p in python3.11 python3.13 python3.12 python3.14 python3.10 python3 python; do \
	$$p -c '$(FITS)' 2>/dev/null && { echo $$p; break; }; done)
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
KERAS := .venv-keras
STORE ?= runs
PORT ?= 5000
ARGS ?=
OUTPUT ?=

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(MAKEFILE_LIST))

##@ Begin

help:  ## Print these targets
	@awk -F ':.*## ' '/^##@/ { print (shown++ ? "\n" : "") substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv with everything the project needs (Python 3.10 to 3.14; 2 GB with a CPU-only torch, else 6)

# torch is not pinned where $(VENV) has one that fits, or where the constraints in pip's own configuration name it.
# A $(VENV) that is there keeps its Python.
$(READY): override PYTHON := $(or $(wildcard $(VENV)/bin/python),$(PYTHON))
$(READY): pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(FITS)' 2>/dev/null || { \
		echo "error: $(or $(PYTHON),no python) does not fit: torch has wheels for Python 3.10 to 3.14; install one and run make PYTHON=python3.13 $(MAKECMDGOALS)$(if $(wildcard $(VENV)/bin/python), after make clean)" >&2; exit 1; }
	@echo "Installing into $(VENV) with $$($(PYTHON) --version) (some minutes)"
	@$(VENV)/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV)  # also one that was half made
	@if $(VENV)/bin/python -c '$(TORCH_FITS)' 2>/dev/null || cat /dev/null \
		$$($(VENV)/bin/python -m pip config list | sed -n "s/^[^=]*\.constraint='\(.*\)'/\1/p" | sed 's/\\n/ /g') 2>/dev/null \
		| grep -q '^ *torch *\([<>=!~;@ []\|$$\)'; \
		then grep -v '^torch==' constraints.txt; else cat constraints.txt; fi > $(VENV)/constraints.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)/constraints.txt --editable '.[dev]'
	@$(RUN) sentiment_rnn.model.recurrence
	@touch $@

# A sweep, then its comparison, into OUTPUT or a folder of its name beside the runs.
define compared
@$(RUN) sentiment_rnn train experiment=$(1) "tracking.directory=$(STORE)" $(ARGS)
@$(RUN) sentiment_rnn compare $(1) --store "$(STORE)" --output "$(or $(OUTPUT),$(STORE)/$(1))" $(2)
endef

demo: $(READY)  ## Compare rnn, lstm and bag on generated reviews: no data, no network, a minute
	$(call compared,demo,--register)

##@ Train and compare

compare: $(READY)  ## Compare them on IMDb (IMDB_ARCHIVE=…, or it is downloaded) and write runs/rnn_vs_lstm (OUTPUT=… for another)
	$(call compared,rnn_vs_lstm,--register)

best: $(READY)  ## Train a GRU that starts from a language model of IMDb's own texts, with n-grams beside it, and register it (40 minutes with AVX-512 BF16)
	@$(RUN) sentiment_rnn train experiment=best_language_model "tracking.directory=$(STORE)" $(ARGS)
	$(call compared,best,--register)

learning-rate: $(READY)  ## Choose the learning rates of compare on validation, and write runs/learning_rate
	$(call compared,learning_rate)

learning-rate-demo: $(READY)  ## The same for the demo, and write runs/learning_rate_demo
	$(call compared,learning_rate_demo)

train: $(READY)  ## One run: make train ARGS="encoder=lstm data=imdb"
	@$(RUN) sentiment_rnn train "tracking.directory=$(STORE)" $(ARGS)

sweep: $(READY)  ## Many runs: make sweep ARGS="encoder=rnn,lstm seed=0,1,2 study=mine"
	@$(RUN) sentiment_rnn train --multirun "tracking.directory=$(STORE)" $(ARGS)
	@$(RUN) sentiment_rnn compare --store "$(STORE)" $(if $(OUTPUT),--output "$(OUTPUT)")

# Without a way to the runs, MLflow opens on its pages for language models.
RUNS_PAGE := import pathlib, sqlite3, sys; \
	store = sqlite3.connect(pathlib.Path(sys.argv[1]).absolute().as_uri() + "?mode=ro", uri=True); \
	first = "select experiment_id from experiments order by name = ? desc, experiment_id desc"; \
	print("experiments/%s/runs?viewStateShareKey=sweep&" % store.execute(first, ["sentiment_rnn"]).fetchone())
ui: $(READY)  ## Open the MLflow UI on http://127.0.0.1:5000 (PORT=… for another)
	@echo "http://127.0.0.1:$(PORT)/#/$$($(VENV)/bin/python -c '$(RUNS_PAGE)' "$(STORE)/mlflow.db" 2>/dev/null \
		|| echo 'experiments?')workflowType=machine_learning  (Ctrl-C stops it)"
	@# Without a shell in between, what ends make ends the server.
	@exec env MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(VENV)/bin/mlflow server --host 127.0.0.1 --port $(PORT) --workers 1 \
		--backend-store-uri "sqlite:///$$(realpath -m "$(STORE)")/mlflow.db" \
		--default-artifact-root "file://$$(realpath -m "$(STORE)")/artifacts"

server: $(READY)  ## A shared MLflow server on PostgreSQL, on http://127.0.0.1:5000 (PORT=…, DATABASE=…, AUTH=1: docs/clusters.md)
	@STORE="$(STORE)" PORT=$(PORT) tools/server.sh $(VENV)/bin/python

##@ Use a model

# TEXT and FILE reach the command as they are, through the environment: no quote in them ends anything, and no $ begins.
override TEXT := $(value TEXT)
override FILE := $(value FILE)
export TEXT FILE

predict: $(READY)  ## Is a text positive? make predict TEXT="a wonderful film, warm and funny" (by the champion of compare, else that of demo)
	@$(if $(value TEXT),,$(error give a text: make predict TEXT="a wonderful film, warm and funny"))$(RUN) sentiment_rnn predict --store "$(STORE)" $(ARGS) -- "$$TEXT"

evaluate: $(READY)  ## How good is it on labelled texts of your own? make evaluate FILE=reviews.csv
	@$(if $(value FILE),,$(error give a file: make evaluate FILE=reviews.csv))$(RUN) sentiment_rnn evaluate --store "$(STORE)" $(ARGS) -- "$$FILE"

inspect: $(READY)  ## Look at how it reads a text: make inspect TEXT="…" (ARGS="--against demo@rnn" beside another)
	@$(if $(value TEXT),,$(error give a text: make inspect TEXT="The beginning is slow. The ending is one of the finest I have seen."))$(RUN) sentiment_rnn inspect --store "$(STORE)" --output "$(STORE)/inspection.html" $(ARGS) -- "$$TEXT"

serve: $(READY)  ## Answer over HTTP, and on a page as one types, on http://127.0.0.1:5001
	@$(RUN) sentiment_rnn serve --store "$(STORE)" $(ARGS)

##@ Studies and the lesson

lag: $(READY)  ## How far back does your cell remember? make lag ENCODER=my_package.MyCell (LAGS=100 DRAWS=8 for a first look)
	@$(RUN) experiments.lab lag $(or $(ENCODER),$(error ENCODER=my_package.MyCell is missing: a class, an encoder's name or its YAML file)) --store "$(STORE)" $(if $(LAGS),--lags $(LAGS)) $(if $(DRAWS),--draws $(DRAWS)) $(ARGS)

study: $(READY)  ## One study of the lab: make study NAME=lag, into experiments/<name> (an unknown name lists them)
	@$(RUN) experiments.lab study $(or $(NAME),$(error give a study: make study NAME=lag)) --store "$(STORE)" $(ARGS)

studies: $(READY)  ## All of them, in turn (interrupted, the same command resumes)
	@$(RUN) experiments.lab study all --store "$(STORE)" $(ARGS)

report: $(READY)  ## Write the studies as one HTML page, runs/report.html, from the committed results
	@$(RUN) experiments.lab report --output "$(STORE)/report.html" $(ARGS)

notebook: $(READY)  ## Run the lesson into runs/lesson.ipynb (some minutes); the version for students is runs/lesson_students.ipynb
	@mkdir -p "$(STORE)"
	@$(VENV)/bin/python tools/lesson.py notebooks/lesson.ipynb "$(STORE)/lesson_students.ipynb"
	@$(VENV)/bin/jupyter-execute notebooks/lesson.ipynb --output="$$(realpath -m "$(STORE)")/lesson.ipynb" $(ARGS)
	@echo "$(STORE)/lesson.ipynb, and for students $(STORE)/lesson_students.ipynb"

##@ Measure speed

bench: $(READY) $(KERAS)/.ready  ## How fast a training step is, beside PyTorch's modules, Keras and the products alone (run it alone)
	@$(VENV)/bin/python experiments/benchmarks/speed.py --packed $(ARGS)

bench-quick: $(READY)  ## The same in a few minutes: beside PyTorch's modules on padded sequences
	@$(VENV)/bin/python experiments/benchmarks/speed.py $(ARGS)

$(KERAS)/.ready: experiments/benchmarks/requirements-keras.txt
	@echo "Installing Keras and TensorFlow into $(KERAS), for the comparison (1.6 GB)"
	@if $(PYTHON) -m venv $(KERAS) && $(KERAS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<; then \
		touch $@; else rm -rf $(KERAS); echo "warning: Keras cannot be installed, so its rows are left out" >&2; fi

##@ Develop

# Compiled files are kept: pytest rewrites thousands of assertions, in each of its processes.
test test-slow: export PYTHONDONTWRITEBYTECODE :=

test: $(READY)  ## Run the tests (those on real reviews need IMDB_ARCHIVE)
	@# One more than there are cores: the tests wait for processes that they start.
	@$(RUN) pytest -m "not slow" --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --maxprocesses 4 --dist loadfile $(ARGS)

test-slow: $(READY)  ## Run the tests that take minutes: servers, kills, a wheel, the lesson, the site, benchmarks at a tiny size
	@$(RUN) pytest -m slow --numprocesses logical --maxprocesses 2 --dist loadfile $(ARGS)

lint: $(READY)  ## Check style (ruff) and types (mypy)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

readme: $(READY)  ## Write every figure of studies, and the generated tables, verdicts and values of documents, from the committed results
	@$(RUN) experiments.lab write $(ARGS)

docs: $(READY)  ## Write docs/configuration.md from the schema, and the site of all documents into build/site
	@mkdir -p build
	@$(RUN) sentiment_rnn.cli.help > build/configuration.md
	@mv build/configuration.md docs/configuration.md
	@# The lesson's page shows its outputs. They are kept, since they take minutes.
	@[ "$(STORE)/lesson.ipynb" -nt notebooks/lesson.ipynb ] || $(MAKE) --no-print-directory notebook
	@rm -rf build/site
	@LESSON="$(STORE)/lesson.ipynb" $(RUN) sphinx --quiet --fail-on-warning --keep-going --fresh-env -c docs --doctree-dir build/doctrees . build/site
	@echo "written to build/site; open build/site/index.html in a browser"

clean:  ## Remove the virtual environments and caches; runs/ and data/ stay
	@rm -rf $(VENV) $(KERAS) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find src tests experiments tools -name __pycache__ -type d -prune -exec rm -rf {} +
