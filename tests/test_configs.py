"""Every YAML file of conf/, composed and checked through the real entry point."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from sentiment_rnn import command, compare, textbook, train
from sentiment_rnn.command import CONFIGURATION
from sentiment_rnn.config import Config, RunConfig, checked
from sentiment_rnn.tracking.sweep import job_configs, job_overrides

CHOICES = sorted(
    path.relative_to(CONFIGURATION).with_suffix("").as_posix()
    for path in Path(CONFIGURATION).rglob("*.yaml")
    if path.parent != Path(CONFIGURATION)
)


EACH_EXPERIMENT = pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.startswith("experiment/")])


def of_textbook(choice: str) -> bool:
    """Whether a file belongs to the textbook command."""
    return choice.startswith(("task/", "experiment/textbook"))


def composed(*overrides: str, name: str = "config") -> DictConfig:
    """What Hydra gives a command for these overrides."""
    command.register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        return compose(name, list(overrides), return_hydra_config=True)


def composed_choice(choice: str, *overrides: str) -> DictConfig:
    """What Hydra gives the command that a file of conf/ belongs to, for that file and these overrides."""
    return composed("=".join(choice.rsplit("/", 1)), *overrides, name="textbook" if of_textbook(choice) else "config")


def run_entry_point(monkeypatch: pytest.MonkeyPatch, module: object, *arguments: str) -> None:
    """Call a command as `python -m` would."""
    GlobalHydra.instance().clear()
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    command.run(module.main)  # type: ignore[attr-defined]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_yaml_file_composes_through_the_entry_point(
    choice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group, name = choice.rsplit("/", 1)
    module = textbook if of_textbook(choice) else train
    run_entry_point(monkeypatch, module, f"{group}={name}", "--cfg", "job", "--resolve")
    shown = capsys.readouterr().out
    assert "encoder:" in shown
    assert "???" not in shown


def test_the_encoders_of_length_and_capacity_have_the_same_learning_rates() -> None:
    length, capacity = (
        composed(f"experiment={name}").optimizer.learning_rates for name in ("length_tokens", "capacity_width")
    )
    assert {name: capacity[name] for name in ("rnn", "lstm")} == {name: length[name] for name in ("rnn", "lstm")}


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not choice.startswith("experiment/")])
def test_every_choice_is_within_the_schema_and_its_bounds(choice: str) -> None:
    assert isinstance(checked(composed_choice(choice)), RunConfig)


@EACH_EXPERIMENT
def test_every_job_of_an_experiment_is_within_the_schema(choice: str) -> None:
    config = composed_choice(choice, "hydra.mode=MULTIRUN")
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        jobs = job_overrides(config)
        configs = job_configs(config, jobs)
    assert len(configs) == len(jobs) > 1
    assert all(isinstance(job, RunConfig) for job in configs)


@EACH_EXPERIMENT
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_an_experiment_composes_with_any_launcher(choice: str, launcher: str) -> None:
    config = composed_choice(choice, f"hydra/launcher={launcher}")
    assert launcher in config.hydra.launcher._target_.lower()


@EACH_EXPERIMENT
def test_the_memory_studies_run_a_job_a_core_and_the_others_one_after_the_other(choice: str) -> None:
    launcher = composed_choice(choice).hydra.launcher
    assert launcher.get("n_jobs") == (-1 if choice.startswith("experiment/memory_") else None)


def test_the_headline_compares_three_encoders_over_three_seeds_at_the_last_state() -> None:
    config = composed("experiment=rnn_vs_lstm", "hydra.mode=MULTIRUN")
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        configs = job_configs(config, job_overrides(config))
    assert {(job.encoder.name, job.seed) for job in configs} == {
        (encoder, seed) for encoder in ("rnn", "lstm", "bag") for seed in (0, 1, 2)
    }
    assert {(job.encoder.name, job.pooling.name) for job in configs} == {
        ("rnn", "last"), ("lstm", "last"), ("bag", "mean"),
    }  # fmt: skip
    assert len({(job.trainer.epochs, job.data.batch_size) for job in configs}) == 1, "equal budgets"


def test_every_encoder_has_the_same_keys() -> None:
    names = sorted(path.stem for path in Path(CONFIGURATION, "encoder").glob("*.yaml"))
    keys = {name: set(composed(f"encoder={name}").encoder) for name in names}
    assert {"rnn", "lstm", "bag", "lstm_chrono"} <= set(names)
    assert all(keys[name] == keys["rnn"] for name in names), keys


def test_every_encoder_is_called_as_its_file() -> None:
    for path in Path(CONFIGURATION, "encoder").glob("*.yaml"):
        assert composed(f"encoder={path.stem}").encoder.name == path.stem


def test_a_bag_is_pooled_by_its_mean_unless_something_else_is_asked_for() -> None:
    assert composed("encoder=bag").pooling.name == "mean"
    assert composed("encoder=bag", "pooling=max").pooling.name == "max"


def test_the_compare_command_composes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_entry_point(monkeypatch, compare, "--cfg", "job", "--resolve")
    assert "resamples:" in capsys.readouterr().out


def test_identity_depends_on_what_decides_the_result_and_on_nothing_else() -> None:
    def identity(*overrides: str, digest: str = "a", version: str = "1") -> str:
        config: Config = checked(composed(*overrides))
        return config.identity(digest, version)

    base = identity()
    assert identity() == base
    same = ["trainer.progress_bar=false", "trainer.threads=1", "tracking.directory=elsewhere", "data.directory=there"]
    assert all(identity(override) == base for override in same)
    other = ["seed=1", "encoder=rnn", "optimizer.learning_rate=0.1", "data.max_tokens=7", "precision=float32"]
    assert len({base, identity(digest="b"), identity(version="2"), *(identity(override) for override in other)}) == 8
