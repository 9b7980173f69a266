"""A study through its command, in real processes, small and on generated reviews."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from made_results import give_runs, make_learner, measure_into
from processes import run_command
from sentiment_rnn.cli import study as study_command
from sentiment_rnn.cli.study import folder_of, run_studies
from sentiment_rnn.cli.study_sweeps import PlannedSweep, arms_without_rate, planned, planned_sweeps, run_sweep
from sentiment_rnn.config.commands import StudyConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.store import register_schema, run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.studies import all_studies, find_study, own_rate
from sentiment_rnn.studies.kit.measurements import read_rows
from sentiment_rnn.studies.kit.study import Study, Sweep
from stored_runs import runs_in

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL = [
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_distance=10", "data.batch_size=20",
    "encoder.hidden_size=32", "embedding.size=8", "trainer.epochs=1", "trainer.threads=1",
    "tracking.system_metrics=false", "hydra.sweeper.params.seed='0,1'",
]  # fmt: skip


TRACKING = TrackingConfig(uri=None, directory="runs", experiment="mine", system_metrics=False, repeat=False)


def study(folder: Path, *arguments: str, small: list[str] = SMALL) -> subprocess.CompletedProcess[str]:
    """Run a study in `folder`, of small runs, to its end."""
    overrides = ",".join(json.dumps(override) for override in small)
    return run_command("study", folder, f"overrides=[{overrides}]", *arguments)


NEEDED = {
    "real_text": [
        "data=generated",
        "data.max_distance=10",
        "data.test_reviews=40",
        "encoder=rnn,gru,lstm",
        "seed=20,21",
    ],
    "unseen": ["data.test_reviews=80", "encoder=lstm,lstm_chrono", "seed=0,1"],
}
"""The sweeps that the studies of gates and filler need, and what makes them small."""


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the gates study has run."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(EXPERIMENTS / "gates", folder / "experiments" / "gates", ignore=shutil.ignore_patterns("[!p]*"))
    small = [override for override in SMALL if not override.startswith(("data=", "data.max", "data.test", "hydra"))]
    done = study(folder, "name=gates", small=[])
    assert done.returncode == 1
    assert "name=gates needs the runs of real_text: run sentiment-rnn study name=real_text first" in done.stderr
    for experiment, overrides in NEEDED.items():
        done = run_command("train", folder, "-m", f"experiment={experiment}", *small, *overrides)
        assert done.returncode == 0, done.stdout + done.stderr
    done = study(folder, "name=gates", small=[])
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def children(folder: Path) -> list[str]:
    _, runs = runs_in(folder)
    return [run.info.run_id for run in runs if "mlflow.parentRunId" in run.data.tags]


def test_a_study_of_the_runs_of_others_writes_its_folder_and_logs_to_the_last_of_their_parents(gates: Path) -> None:
    out = gates / "experiments" / "gates"
    assert {path.name for path in out.iterdir()} == {
        "results.csv", "encoders.csv", "verdicts.json", "table.md", "explorer.json", "gates.png", "saturation.png",
        "saturation_400.png", "running.png", "provenance.json", "protocol.md",
    }  # fmt: skip
    assert "Share [%] of units and tokens" in (out / "table.md").read_text()
    assert "No seed holds 400 tokens." in (out / "table.md").read_text(), "of these small runs none does"
    assert len(children(gates)) == 10
    parts = json.loads((out / "provenance.json").read_text())["sweeps"]
    assert [part["sweep"] for part in parts] == ["real_text", "unseen"]
    client, runs = runs_in(gates)
    (parent,) = [run for run in runs if run.info.run_name == "unseen"]
    logged = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "study/gates")}
    assert {f"study/gates/{name}" for name in ("gates.png", "results.csv", "explorer.json")} <= logged


def test_filler_is_read_by_the_models_of_a_finished_sweep(gates: Path) -> None:
    out = gates / "experiments" / "filler"
    shutil.copytree(EXPERIMENTS / "filler", out, ignore=shutil.ignore_patterns("[!p]*"))
    done = study(gates, "name=filler", small=[])
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row.split(",") for row in (out / "results.csv").read_text().splitlines()[1:]]
    assert {tuple(row[:2]) for row in rows} == {(arm, seed) for arm in ("rnn", "gru", "lstm") for seed in ("20", "21")}
    assert len(rows) == 6 * 9
    assert {path.name for path in out.iterdir()} == {
        "results.csv", "encoders.csv", "verdicts.json", "table.md", "filler.png", "provenance.json", "protocol.md",
    }  # fmt: skip
    _, runs = runs_in(gates)
    tested = {
        (run.data.params["encoder.name"], run.data.params["seed"]): run.data.metrics["test/auroc"]
        for run in runs if run.data.tags.get("mlflow.parentRunId") and "test/auroc" in run.data.metrics
    }  # fmt: skip
    for encoder, seed, _, _, amount, answer, state in rows:
        assert 0 <= float(state) <= 1
        if amount == "0":  # all test reviews are read, as the run has
            assert float(answer) == pytest.approx(tested[encoder, seed], abs=1e-5)


def test_recomputed_gates_equal_the_trained_module(gates: Path) -> None:
    rows = (gates / "experiments" / "gates" / "results.csv").read_text().splitlines()
    for precision, most in (("float32", 1e-5), ("float64", 1e-12)):
        found = [float(row.rsplit(",", 1)[1]) for row in rows if f"from the module,{precision}" in row]
        assert len(found) == 8, "RNN and LSTM, two seeds, before training and after it"
        assert max(found) < most


@pytest.mark.slow
def test_a_study_trains_its_sweeps_once(tmp_path: Path) -> None:
    out = tmp_path / "experiments" / "textbook"
    out.mkdir(parents=True)
    shutil.copy(EXPERIMENTS / "textbook" / "protocol.md", out)
    small = [
        "encoder.hidden_size=8", "trainer.epochs=2", "trainer.threads=1", "task.batches=3", "task.test_sequences=64",
        "hydra.sweeper.params.encoder='rnn,lstm'", "optimizer.draw=6", "seed=80",
    ]  # fmt: skip
    for sweeps in ("textbook_copying_8", "textbook_copying_1,textbook_adding_50"):
        done = study(tmp_path, "name=textbook", f"sweeps=[{sweeps}]", small=small)
        assert done.returncode == 0, done.stdout + done.stderr
    rows = (out / "results.csv").read_text().splitlines()[1:]
    tasks = ("adding over 50 steps", "copying 1 symbol over 27 steps", "copying 8 symbols over 20 steps")
    assert [row.split(",")[:3] for row in rows] == [[task, arm, "80"] for arm in ("rnn", "lstm") for task in tasks]
    assert {path.name for path in out.iterdir()} == {
        "results.csv", "encoders.csv", "verdicts.json", "table.md", "kept.png", "bits.png", "protocol.md",
        "provenance.json",
    }  # fmt: skip
    assert "0/1 (0 to 98 %)" in (out / "table.md").read_text()
    assert json.loads((out / "verdicts.json").read_text()) == [], "of one seed nothing is decided"
    before = children(tmp_path)
    done = study(tmp_path, "name=textbook", f"sweeps=[{sweeps}]", small=small)
    assert done.returncode == 0, done.stdout + done.stderr
    assert children(tmp_path) == before


def test_an_unknown_study_is_one_line(tmp_path: Path) -> None:
    done = study(tmp_path, "name=wisdom")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: name=wisdom: expected one of "
        "learnability, mid_range, long_range, own_rate, budget, causes, bfloat16, replication, unseen, textbook, "
        "real_text, variants, steady_rate, filler, gradient_flow, gates"
    ]
    assert not list(tmp_path.iterdir())


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `study` says of a configuration that it refuses, in this process; nothing is trained, and no run begun."""
    monkeypatch.chdir(tmp_path)
    register_schema()
    GlobalHydra.instance().clear()

    def message(name: str, overrides: Sequence[str] = (), run: bool = True, sweeps: Sequence[str] = ()) -> str:
        with initialize_config_dir(CONFIGURATION, version_base="1.3"), pytest.raises(UserError) as refusal:
            run_studies(StudyConfig(name, f"experiments/{name}", run, list(overrides), TRACKING, list(sweeps)))
        assert not Path("runs").exists()
        return str(refusal.value)

    return message


def test_a_study_that_needs_another_says_so_before_anything_is_trained(refused: Callable[..., str]) -> None:
    shutil.copytree(EXPERIMENTS / "gates", "experiments/gates")
    said = refused("gates")
    assert said.startswith("name=gates needs the runs of real_text: run sentiment-rnn study name=real_text first (")
    assert "no runs there" in said


ARMS = ["rnn_uniform", "rnn", "rnn_gain", "lstm_forget_0", "lstm", "lstm_forget_3", "lstm_forget_5"]
"""Of a sweep that was left out."""
WAITING = (
    f"{', '.join(ARMS)} of budget_100: optimizer.draws has null, since no search has chosen a draw yet; run its "
    "search, and put the best draw into conf/experiment/budget_100.yaml"
)


def test_a_sweep_whose_rates_are_not_chosen_is_refused_where_it_is_asked_for(refused: Callable[..., str]) -> None:
    assert refused("budget", sweeps=["budget_100"]) == WAITING


@pytest.fixture
def composing() -> Iterator[None]:
    """Hydra as the command has it."""
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        yield


@pytest.mark.usefixtures("composing")
def test_a_study_leaves_out_sweeps_whose_rates_are_not_chosen_and_runs_their_searches() -> None:
    found = planned_sweeps(StudyConfig("budget", "out", True, [], TRACKING), find_study("budget"))
    assert [(one.sweep.experiment, one.left_out) for one in found if not one.runs] == [("budget_100", WAITING)]
    assert not any(one.left_out or one.encoders for one in found if one.runs)
    assert "budget_search_100" in [one.sweep.experiment for one in found if one.runs]


@pytest.mark.usefixtures("composing")
def test_a_study_of_which_no_sweep_has_a_rate_is_refused() -> None:
    draws = [f"optimizer.draws.{arm}=null" for arm in ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono")]
    with pytest.raises(UserError, match=r"lstm_chrono of bfloat16_50: optimizer\.draws has null"):
        planned_sweeps(StudyConfig("bfloat16", "out", True, draws, TRACKING), find_study("bfloat16"))


@pytest.mark.usefixtures("composing")
def test_of_a_sweep_the_encoders_that_have_a_rate_are_run() -> None:
    given = ["optimizer.draws.lstm=3", "optimizer.draws.rnn=4"]
    asked = StudyConfig("budget", "out", True, given, TRACKING, ["budget_100"])
    (one,) = planned_sweeps(asked, find_study("budget"))
    assert (one.runs, one.encoders) == (True, ("rnn", "lstm"))
    assert one.left_out.startswith("rnn_uniform, rnn_gain, lstm_forget_0, lstm_forget_3, lstm_forget_5 of budget_100: ")


@pytest.mark.usefixtures("composing")
@pytest.mark.parametrize(("sweeps", "distances"), [([], {"5"}), (["learn_5"], {"5", "50"})])
def test_a_study_measures_what_it_ran_and_keeps_the_rest_only_where_sweeps_are_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sweeps: list[str],
    distances: set[str],
) -> None:
    started: dict[str, Sequence[str]] = {}

    def plan(config: StudyConfig, found: Study) -> list[PlannedSweep]:
        asked = [sweep for sweep in found.sweeps if not config.sweeps or sweep.experiment in config.sweeps]
        run = {sweep: () if sweep.experiment == "learn_20" else ("lstm",) for sweep in asked}
        return [PlannedSweep(sweep, encoders, f"rnn of {sweep.experiment}") for sweep, encoders in run.items()]

    def run(_: StudyConfig, sweep: Sweep, protocol: str, encoders: Sequence[str]) -> None:
        assert len(protocol) == 64
        started[sweep.experiment] = encoders

    parent = SimpleNamespace(info=SimpleNamespace(run_id="1"), uri="here")
    replaced = {
        **dict.fromkeys(("check_started_under", "open_store", "find_sweep", "log_findings"), parent),
        "measured_parts": (), "provenance_json": "{}", "report_findings": [],
    }  # fmt: skip
    for name, value in replaced.items():
        monkeypatch.setattr(study_command, name, lambda *_, value=value, **__: value)
    monkeypatch.setattr(study_command, "planned_sweeps", plan)
    monkeypatch.setattr(study_command, "run_sweep", run)
    give_runs(monkeypatch, {f"learn_{d}": [make_learner("lstm", d, 3, True)] for d in (5, 20, 50)})
    folder, learnability = tmp_path / "learnability", find_study("learnability")
    measure_into(folder, learnability, ["learn_50"])
    give_runs(monkeypatch, {f"learn_{d}": [make_learner("lstm", d, 3, True)] for d in (5, 20)})
    shutil.copy(EXPERIMENTS / "learnability" / "protocol.md", folder)
    run_studies(StudyConfig("learnability", str(folder), True, [], TRACKING, sweeps))
    assert ("learn_20" in started, started["learn_5"]) == (False, ("lstm",))
    assert "left out: rnn of learn_5" in capsys.readouterr().out
    assert {row["distance"] for row in read_rows(folder)} == distances


@pytest.mark.usefixtures("composing")
@pytest.mark.parametrize(
    ("overrides", "arms"),
    [
        ([], ARMS),
        (["optimizer.draw=3"], []),
        (["hydra.sweeper.params.optimizer.draw=3,4"], []),
        (["optimizer.draws={lstm: 3}"], [arm for arm in ARMS if arm != "lstm"]),
        (["optimizer.draw=null", "optimizer.draws.lstm=null"], ARMS),
        (["hydra.sweeper.params.encoder='rnn_relu, lstm'"], ["lstm"]),
        (["optimizer.draws.rnn=9", "optimizer.draws.lstm=9"], [arm for arm in ARMS if arm not in ("rnn", "lstm")]),
        (["optimizer.learning_rate=0.001"], []),
        (["encoder=lstm_forget_3"], ["lstm_forget_3"]),
        (["hydra.sweeper.params.encoder='rnn_relu,lstm_forget_5'"], ["lstm_forget_5"]),
    ],
)
def test_a_rate_that_is_given_needs_no_draw(overrides: list[str], arms: list[str]) -> None:
    (sweep,) = [sweep for sweep in find_study("budget").sweeps if sweep.experiment == "budget_100"]
    assert arms_without_rate(StudyConfig("budget", "out", True, overrides, TRACKING), sweep)[1] == arms


@pytest.mark.usefixtures("composing")
def test_sweeps_that_are_read_together_train_for_as_many_epochs() -> None:
    for found in all_studies():
        for chooses in (False, True):
            kind = [sweep.experiment for sweep in found.sweeps if sweep.chooses_rates == chooses]
            assert len({planned(experiment).trainer.epochs for experiment in kind}) <= 1, found.name


def test_a_study_that_reads_the_results_of_another_says_so_before_anything_is_trained(
    refused: Callable[..., str],
) -> None:
    shutil.copytree(EXPERIMENTS / "variants", "experiments/variants")
    assert refused("variants") == (
        "name=variants reads the results of real_text, and experiments/real_text has none: run sentiment-rnn study "
        "name=real_text first"
    )


@pytest.mark.parametrize("seeds", ["seed", "hydra.sweeper.params.seed"])
def test_learning_rates_are_chosen_by_a_seed_of_their_own(monkeypatch: pytest.MonkeyPatch, seeds: str) -> None:
    started: list[list[str]] = []

    def start(command: list[str], **_: object) -> AbstractContextManager[SimpleNamespace]:
        started.append(command)
        return nullcontext(SimpleNamespace(wait=lambda: 0))

    monkeypatch.setattr(subprocess, "Popen", start)
    config = StudyConfig("own_rate", "out", True, [f"{seeds}=0,1", "trainer.threads=1"], TRACKING)
    for sweep in find_study("own_rate").sweeps:
        run_sweep(config, sweep, "ab12")
    assert [command[1:7] for command in started] == [
        ["-m", "sentiment_rnn", "train", "-m", f"experiment={experiment}", "tracking.repeat=false"]
        for experiment in ("own_rate_search_50", "own_rate_50")
    ]
    assert [(f"{seeds}=0,1" in command, "trainer.threads=1" in command) for command in started] == [
        (False, True), (True, True),
    ]  # fmt: skip


def test_a_sweep_has_the_store_of_its_study(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], env: dict[str, str]) -> AbstractContextManager[SimpleNamespace]:
        started.append((command, env))
        return nullcontext(SimpleNamespace(wait=lambda: 0))

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5002")
    uri = "http://127.0.0.1:5001"
    tracking = TrackingConfig(
        uri=uri, directory="my runs, 2", experiment="it's mine", system_metrics=False, repeat=False, checkpoints="kept"
    )
    (sweep, *_) = find_study("own_rate").sweeps
    run_sweep(StudyConfig("own_rate", "out", True, ["encoder=gru"], tracking), sweep, "ab12", ("rnn", "lstm"))
    ((command, environment),) = started
    assert "MLFLOW_TRACKING_URI" not in environment
    assert f"tracking.uri='{uri}'" in command, "a worker on another machine has no environment of ours"
    assert [argument for argument in command if argument.startswith("encoder=")] == ["encoder=rnn,lstm"]
    composed = run_config(*(argument for argument in command if argument.startswith("tracking."))).tracking
    assert (composed.directory, composed.experiment, composed.checkpoints) == ("my runs, 2", "it's mine", "kept")
    assert composed.repeat is False


@pytest.mark.parametrize(
    ("name", "override", "experiment"),
    [
        ("gradient_flow", "encoder=lstm", "gradient_flow_50"),
        ("textbook", "optimizer.draw=3", "textbook_search_copying_1"),
    ],
)
def test_what_a_study_compares_cannot_be_overridden(
    refused: Callable[..., str], name: str, override: str, experiment: str
) -> None:
    shutil.copytree(EXPERIMENTS / name, f"experiments/{name}")
    assert refused(name, [override]) == f"overrides={override}: {experiment} compares by this; leave it out"


def test_a_study_that_trains_nothing_takes_no_overrides(refused: Callable[..., str]) -> None:
    assert refused("gates", ["trainer.threads=1"]) == "overrides=trainer.threads=1: gates trains nothing; leave it out"
    assert refused("unseen", ["trainer.threads=1"], run=False) == (
        "overrides=trainer.threads=1: run=false trains nothing; leave out overrides, or run=false"
    )


@pytest.mark.parametrize(
    ("name", "run", "sweep", "why"),
    [
        ("learnability", True, "learn_7", "not a sweep of learnability; expected some of learn_search_20, "),
        ("all", True, "learn_5", "expected one study with it, name=learnability, say, and not all of them"),
        ("gradient_flow", True, "gradient_flow_50", "gradient_flow measures its sweeps together; leave sweeps out"),
        ("learnability", False, "learn_5", "run=false measures nothing; leave out sweeps, or run=false"),
    ],
)
def test_a_part_that_cannot_be_measured_by_itself_is_refused(name: str, run: bool, sweep: str, why: str) -> None:
    with pytest.raises(UserError, match=f"sweeps={sweep}: {why}"):
        run_studies(StudyConfig(name, "out", run, [], TRACKING, [sweep]))


@pytest.mark.slow
def test_a_sweep_is_run_some_seeds_at_a_time_and_added_to_what_the_folder_has(tmp_path: Path) -> None:
    committed, out = EXPERIMENTS / "learnability", tmp_path / "experiments" / "learnability"
    out.mkdir(parents=True)
    shutil.copy(committed / "protocol.md", out)
    small = [
        "data.train_reviews=120", "data.test_reviews=40", "trainer.epochs=1", "trainer.threads=1",
        "tracking.system_metrics=false", "hydra.sweeper.params.encoder='rnn,lstm'",
    ]  # fmt: skip
    for seeds in ("range(2)", "2"):
        done = study(tmp_path, "name=learnability", "sweeps=[learn_5]", small=[*small, f"seed={seeds}"])
        assert done.returncode == 0, done.stdout + done.stderr
    rows = (out / "results.csv").read_text().splitlines()[1:]
    assert [row.rsplit(",", 1)[0] for row in rows] == [
        f"learn,{encoder},5,{seed}" for encoder in ("rnn", "lstm") for seed in (0, 1, 2)
    ]
    assert "/3 (" in (out / "table.md").read_text()
    parts = json.loads((out / "provenance.json").read_text())["sweeps"]
    assert [(part["sweep"], part["seeds"], part["runs"]) for part in parts] == [
        ("learn_5", [0, 1], 4), ("learn_5", [2], 2),
    ]  # fmt: skip

    for pattern in ("*.csv", "correct.npz", "provenance.json"):
        for file in committed.glob(pattern):
            shutil.copy(file, out)
    done = study(tmp_path, "name=learnability", "sweeps=[learn_5]", small=[*small, "seed=2"])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: experiments/learnability: its runs at 5 tokens have read other test reviews than learn, rnn, 5, 2"
    )
    assert (out / "results.csv").read_text() == (committed / "results.csv").read_text()


def test_findings_are_made_anew_from_the_results_alone(tmp_path: Path) -> None:
    committed, out = EXPERIMENTS / "gates", tmp_path / "experiments" / "gates"
    out.mkdir(parents=True)
    for file in ("results.csv", "encoders.csv", "protocol.md", "provenance.json"):
        shutil.copy(committed / file, out)
    done = study(tmp_path, "name=gates", "run=false", small=[])
    assert done.returncode == 0, done.stdout + done.stderr
    for file in ("table.md", "verdicts.json"):
        assert (out / file).read_text() == (committed / file).read_text()
    assert not (tmp_path / "runs").exists()


def test_without_results_there_is_nothing_to_make_findings_of(refused: Callable[..., str]) -> None:
    Path("experiments/gates").mkdir(parents=True)
    shutil.copy(EXPERIMENTS / "gates" / "protocol.md", "experiments/gates")
    said = refused("gates", run=False)
    assert said == "experiments/gates/provenance.json: not there; run the study, sentiment-rnn study name=gates"


def test_studies_are_found_in_their_order_each_with_its_sweeps_and_its_readme() -> None:
    studies = all_studies()
    assert [found.name for found in studies] == [
        "learnability", "mid_range", "long_range", "own_rate", "budget", "causes", "bfloat16", "replication",
        "unseen", "textbook", "real_text", "variants", "steady_rate", "filler", "gradient_flow", "gates",
    ]  # fmt: skip
    assert len({found.order for found in studies}) == len(studies)
    for found in studies:
        assert f"<!-- {found.name}:start -->" in (EXPERIMENTS / found.name / "README.md").read_text()
        for sweep in found.sweeps:
            assert Path(CONFIGURATION, "experiment", f"{sweep.experiment}.yaml").exists()
            assert sweep.chooses_rates == ("_search" in sweep.experiment)


def test_a_study_comes_after_those_that_it_needs_or_shows() -> None:
    assert all(find_study(shown).order < own_rate.STUDY.order for shown in own_rate.BESIDE)
    for found in all_studies():
        assert all(find_study(read).order < found.order for read in found.reads)
        for needed, sweep in found.needs.items():
            assert find_study(needed).order < found.order
            assert sweep in {given.experiment for given in find_study(needed).sweeps}


def test_an_unknown_study_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UserError, match="name=wisdom: expected one of learnability, mid_range, long_range, "):
        find_study("wisdom")


@pytest.mark.parametrize(
    ("name", "output", "folder"),
    [
        ("unseen", "experiments/unseen", "experiments/unseen"),
        ("unseen", "elsewhere", "elsewhere"),
        ("all", "experiments/all", "experiments/unseen"),
        ("all", "elsewhere", "elsewhere/unseen"),
    ],
)
def test_each_study_writes_into_a_folder_of_its_own(name: str, output: str, folder: str) -> None:
    assert folder_of(StudyConfig(name, output, True, [], TRACKING), find_study("unseen")) == Path(folder)


def test_all_studies_are_checked_before_anything_is_trained(tmp_path: Path, refused: Callable[..., str]) -> None:
    for found in all_studies():
        folder = tmp_path / "experiments" / found.name
        folder.mkdir(parents=True)
        shutil.copy(EXPERIMENTS / found.name / "protocol.md", folder)
    said = refused("all", ["trainer.threads=1", "data.shuffle_span=3"])
    assert said == "overrides=data.shuffle_span=3: real_text_search_shuffled compares by this; leave it out"
