"""Who trains gets, from each file of conf/ and each override, the settings and the identity that they ask for."""

import copy
import functools
import re
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, read_write

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.run import SHARED, ReviewConfig, RunConfig, SequenceConfig
from sentiment_rnn.config.schema import defaults_of
from sentiment_rnn.config.store import register_schema, run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.plan import check_encoder_keys, job_configs, job_overrides, plan_of

CHOICES = sorted(
    path.relative_to(CONFIGURATION).with_suffix("").as_posix()
    for path in Path(CONFIGURATION).rglob("*.yaml")
    if path.parent != Path(CONFIGURATION)
)


EACH_EXPERIMENT = pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.startswith("experiment/")])


@pytest.fixture
def reviews(tmp_path: Path) -> str:
    """A file of two texts of one's own."""
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\ngood,1\nbad,0\n")
    return str(path)


def composed(*overrides: str, name: str = "config") -> DictConfig:
    """The configuration that Hydra composes from these overrides."""
    return copy.deepcopy(composed_once(overrides, name))


@functools.cache
def composed_once(overrides: tuple[str, ...], name: str) -> DictConfig:
    """The same, which takes a tenth of a second; not to be changed."""
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        return compose(name, list(overrides), return_hydra_config=True)


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not choice.startswith("experiment/")])
def test_every_choice_is_within_the_schema_and_its_bounds(choice: str, reviews: str) -> None:
    needed = [f"data.train={reviews}"] if choice == "data/files" else []
    assert isinstance(checked(composed("=".join(choice.rsplit("/", 1)), *needed)), RunConfig)


@EACH_EXPERIMENT
def test_every_job_of_an_experiment_is_within_the_schema(choice: str) -> None:
    given = [choice.replace("/", "="), "hydra.mode=MULTIRUN"]
    config = composed(*given)
    # Its search has not been run, and it is no search.
    if None in config.optimizer.draws.values() and "optimizer.draw" not in config.hydra.sweeper.params:
        config = composed(*given, "optimizer.draw=0")
    params = config.hydra.sweeper.params
    arms = any("," in str(values) for key, values in params.items() if key != "seed")
    with read_write(config):
        for key in [key for key, values in params.items() if key == "seed" or str(values).startswith("range")]:
            params[key] = "0" if key == "seed" and arms else "0,1"  # another is within the schema where these are
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        jobs = job_overrides(config)
        configs = job_configs(config, jobs)
    assert len(configs) == len(jobs) > 1
    assert all(isinstance(job, RunConfig) for job in configs)


def test_jobs_that_differ_in_their_seed_are_what_hydra_composes_of_each() -> None:
    config = composed("experiment=demo", "hydra.mode=MULTIRUN")
    alike = composed("experiment=demo", "hydra.mode=MULTIRUN", "++seed=5")
    with read_write(config):
        config.hydra.sweeper.params.seed = "range(20)"
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        assert {job.seed for job in job_configs(alike, job_overrides(alike))} == {5}
        jobs = [job for job in job_overrides(config) if job[0] in ("encoder=rnn", "encoder=lstm")][::19]
        loader = GlobalHydra.instance().config_loader()
        each = [checked(loader.load_sweep_config(config, job)) for job in jobs]
        assert [job.settings() for job in job_configs(config, jobs)] == [job.settings() for job in each]
        with pytest.raises(UserError, match="seed=many: expected a whole number"):
            job_configs(config, [jobs[0], [job.replace("seed=0", "seed=many") for job in jobs[0]]])


def test_a_key_that_no_encoder_of_the_jobs_has_is_said(caplog: pytest.LogCaptureFixture) -> None:
    rnn, lstm = (composed(f"encoder={encoder}", "encoder.chrono_steps=400") for encoder in ("rnn", "lstm"))
    check_encoder_keys(rnn, [checked(rnn)])
    assert caplog.messages == ["encoder.chrono_steps: has no effect, since none of these encoders has it"]
    caplog.clear()
    check_encoder_keys(rnn, [checked(rnn), checked(lstm)])
    assert not caplog.messages


@pytest.mark.parametrize(("most", "at_once"), [(2, 2), (9, 3)])
def test_a_sweep_runs_no_more_jobs_side_by_side_than_a_batch_has(most: int, at_once: int) -> None:
    config = composed(
        "experiment=demo", "hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3",
        f"hydra.sweeper.max_batch_size={most}",
    )  # fmt: skip
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        assert plan_of(config).at_once == at_once


ENCODERS = sorted(path.stem for path in Path(CONFIGURATION, "encoder").glob("*.yaml"))


@pytest.mark.parametrize(
    ("override", "useless_for"),
    [
        ("encoder.hidden_size=8", {"bag"}),
        ("encoder.layers=3", {"bag"}),
        ("encoder.bidirectional=true", {"bag"}),
        ("encoder.dropout=0.1", {"bag"}),
        ("encoder.recurrent_init=uniform", {"bag"}),
        ("encoder.forget_bias=2.5", {"bag", "gru", "rnn"}),
        ("encoder.chrono_steps=9", {"bag", "rnn"}),
        ("encoder.gradient_steps=9", {"bag"}),
        ("encoder.detach=cell", {"bag", "gru", "rnn"}),
    ],
)
def test_a_key_that_an_encoder_has_no_use_for_is_neither_recorded_nor_part_of_its_identity(
    override: str, useless_for: set[str]
) -> None:
    key = override.partition("=")[0].removeprefix("encoder.")
    for name in ("bag", "gru", "lstm", "rnn"):
        plain, given = (checked(composed(f"encoder={name}", *more)) for more in ([], [override]))
        assert (key in given.settings()["encoder"]) == (name not in useless_for)
        assert (given.identity("", "") == plain.identity("", "")) == (name in useless_for), name
        assert (key in given.encoder.settings) == (name not in useless_for)


def test_every_encoder_is_called_as_its_file_and_has_a_label_and_a_color_of_its_own() -> None:
    encoders = [composed(f"encoder={name}").encoder for name in ENCODERS]
    assert {"rnn", "lstm", "gru", "bag", "lstm_chrono", "rnn_relu"} <= set(ENCODERS)
    assert [encoder.name for encoder in encoders] == ENCODERS
    assert len({encoder.label for encoder in encoders}) == len(ENCODERS)
    assert len({encoder.color for encoder in encoders}) == len(ENCODERS)
    assert all(re.fullmatch("#[0-9A-F]{6}", encoder.color) for encoder in encoders)


def test_a_bag_has_one_thread_unless_others_are_asked_for() -> None:
    assert composed("encoder=bag").trainer.threads == 1
    assert composed("experiment=demo", "encoder=bag").trainer.threads == 1
    assert composed("encoder=bag", "trainer=cpu", "trainer.threads=3").trainer.threads == 3
    assert composed("encoder=lstm").trainer.threads is None


@pytest.mark.parametrize(("task", "kind"), [("reviews", ReviewConfig), ("adding", SequenceConfig)])
def test_a_task_brings_the_keys_that_it_needs_and_no_others(task: str, kind: type[RunConfig]) -> None:
    config = checked(composed(f"task={task}"))
    assert type(config) is kind
    assert (config.task.name, hasattr(config, "data"), hasattr(config.task, "steps")) == (
        task, task == "reviews", task != "reviews",
    )  # fmt: skip


def test_a_learning_rate_is_the_given_one_or_that_chosen_for_the_encoder_or_the_default() -> None:
    rates = "++optimizer.learning_rates={rnn: 0.5, lstm: 0.25}"

    def rate(*overrides: str) -> float:
        return checked(composed(rates, *overrides)).optimizer.learning_rate

    assert rate("encoder=rnn") == 0.5
    assert rate("encoder=lstm") == 0.25
    default = composed().optimizer.default_learning_rate
    assert rate("encoder=gru") == default
    assert rate("encoder=rnn", "optimizer.learning_rate=0.125") == 0.125
    assert rate("encoder=rnn", "task=adding") == 0.5


def test_a_draw_gives_learning_rate_and_clipping_and_is_the_same_for_every_encoder() -> None:
    def optimizer(*overrides: str) -> tuple[float, float]:
        settings = checked(composed(*overrides)).optimizer
        return settings.learning_rate, settings.gradient_clip_norm

    drawn = optimizer("encoder=rnn", "optimizer.draw=3")
    assert drawn == optimizer("encoder=lstm", "optimizer.draw=3")
    assert not set(drawn) & set(optimizer("optimizer.draw=4"))
    assert drawn == optimizer("encoder=rnn", "++optimizer.draws={rnn: 3}")
    assert drawn == optimizer("encoder=rnn", "++optimizer.draws={rnn: null}", "optimizer.draw=3")
    assert optimizer("encoder=lstm", "++optimizer.draws={rnn: 3}") == optimizer("encoder=lstm")


@pytest.mark.parametrize("name", ["v2", "Latest", "champion", "my.cell", "'my cell'"])
def test_a_name_of_an_encoder_that_no_model_can_have_as_its_alias_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"encoder.name=.*: expected letters, digits, _ and -, but not latest"):
        checked(composed("encoder=lstm", f"encoder.name={name}"))


def test_draws_are_spread_over_their_bounds() -> None:
    bounds = ("optimizer.draw_learning_rate=[0.001,0.1]", "optimizer.draw_clip_norm=[0.5,8]")
    config, drawn = composed("optimizer.draw=0", *bounds), []
    for config.optimizer.draw in range(30):
        drawn.append(checked(config).optimizer)
    for key, low, high in (("learning_rate", 0.001, 0.1), ("gradient_clip_norm", 0.5, 8)):
        values = [getattr(one, key) for one in drawn]
        assert low <= min(values) <= max(values) <= high
        below = sum(value < (low * high) ** 0.5 for value in values)
        assert 7 <= below <= 23  # half, within 3 standard deviations


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("optimizer.draw=-1",), "optimizer.draw=-1: expected a whole number from 0"),
        (("optimizer.draw=1", "optimizer.learning_rate=0.1"), "no optimizer.learning_rate"),
        (
            ("++optimizer.draws={lstm: null}", "encoder=lstm"),
            "optimizer.draws.lstm=null: expected the draw that the search",
        ),
        (("optimizer.draw_clip_norm=[2,1]",), "expected two numbers above 0 and at most 1,000,000"),
        (("optimizer.draw_clip_norm=[1,inf]",), "expected two numbers above 0 and at most 1,000,000"),
    ],
)
def test_a_draw_that_makes_no_sense_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        checked(composed(*overrides))


def identity(*overrides: str, digest: str = "a", code: str = "1") -> str:
    """The identity of the default run with other values of keys."""
    config = composed()
    for key, value in (override.split("=") for override in overrides):
        OmegaConf.update(config, key, yaml.safe_load(value), force_add=True)
    return checked(config).identity(digest, code)


def test_identities_begin_alike_where_a_sweep_varies_its_arms_and_seeds_alone() -> None:
    base, arm = identity()[:SHARED], identity("seed=1", "encoder.layers=2", "optimizer.learning_rate=0.1", "study=mine")
    assert arm.startswith(base)
    others = identity(digest="b"), identity("trainer.epochs=9"), identity("data.max_tokens=7")
    assert len({base, *(other[:SHARED] for other in others)}) == 4


def test_identity_depends_on_what_decides_the_result_and_on_nothing_else() -> None:
    same = [
        "trainer.progress_bar=false", "trainer.threads=1", "tracking.directory=elsewhere", "study=mine",
        "data.directory=there", "encoder.label=mine", "encoder.color='#000000'",
        "optimizer.default_learning_rate=0.002", "optimizer.learning_rates.rnn=0.5", "task.adversarial=0",
    ]  # fmt: skip
    assert identity(*same) == identity()
    other = [
        "seed=1", "encoder.layers=2", "optimizer.learning_rate=0.1", "data.max_tokens=7", "precision=float32",
        "trainer.limit_batches=2", "encoder.hidden_size=8", "optimizer.encoder_options.lr=0.001",
        "task.adversarial=5", "task.virtual=5",
        "tracking.record=results", "trainer.keep_epochs=true",  # what a run leaves is a part of it
    ]  # fmt: skip
    identities = {identity(), identity(digest="b"), identity(code="2"), *map(identity, other)}
    assert len(identities) == 3 + len(other)


@pytest.mark.parametrize(
    ("overrides", "batches", "epochs"),
    [
        ((), 4, 150),
        (("data.least_steps=1000",), 40, 25),
        (("trainer.devices=2",), 8, 150),
        ((), 1, 200),  # at most
        ((), 400, 4),  # at least
        (("trainer.epochs=7",), 4, 7),
    ],
)
def test_a_few_texts_of_ones_own_are_read_as_often_as_makes_enough_steps(
    overrides: tuple[str, ...], batches: int, epochs: int, reviews: str
) -> None:
    files = ("data=files", f"data.train={reviews}", *overrides)
    config, same = run_config(*files), run_config(*files, f"trainer.epochs={epochs}")
    steps = config.settle_epochs(batches)
    assert config.trainer.epochs == epochs
    assert steps == epochs * -(-batches // config.trainer.devices)
    same.settle_epochs(batches)
    assert config.identity("", "") == same.identity("", "")


@pytest.mark.parametrize(("overrides", "patience"), [((), 30), (("data.patience=7",), 7), (("trainer.patience=0",), 0)])
def test_training_on_texts_of_ones_own_stops_early_where_nothing_else_is_said(
    overrides: tuple[str, ...], patience: int, reviews: str
) -> None:
    config = run_config("data=files", f"data.train={reviews}", *overrides)
    config.settle_epochs(4)
    assert config.trainer.patience == patience


@pytest.mark.parametrize("other", ["data=generated", "task=adding"])
def test_epochs_and_patience_of_other_runs_are_those_that_are_given(other: str) -> None:
    config = run_config(other)
    config.settle_epochs(4)
    assert (config.trainer.epochs, config.trainer.patience) == (4, 0)


@pytest.mark.parametrize(("override", "seed"), [("seed='5'", 5), ("seed=1e3", 1000)])
def test_a_text_or_a_number_without_a_fraction_is_the_whole_number_that_it_means(override: str, seed: int) -> None:
    assert run_config(override).seed == seed


def test_a_name_may_be_a_number() -> None:
    assert run_config("study=7").study == "7"


def test_a_key_that_no_file_has_is_composed_from_the_schema() -> None:
    assert defaults_of(ReviewConfig)["encoder"]["gradient_steps"] is None
    assert run_config("encoder.gradient_steps=5").encoder.gradient_steps == 5
