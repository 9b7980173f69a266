"""What Hydra calls before and after runs. It is there before torch and MLflow are, which take seconds to load, so that
most wrong settings are said at once."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from sentiment_rnn.config.components import class_having
from sentiment_rnn.config.loading import checked_without_encoder, plain, sections_of
from sentiment_rnn.config.messages import line_of
from sentiment_rnn.config.schema import validated
from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.sweeps.callback import SweepCallback

log = logging.getLogger("sentiment_rnn")


class SweepHook(Callback):
    """Checks the settings, then has `SweepCallback` do its work."""

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run

    def __reduce__(self) -> tuple[type["SweepHook"], tuple[bool]]:
        """A job in another process gets a new one."""
        return SweepHook, (self.dry_run,)

    @cached_property
    def callback(self) -> "SweepCallback":
        """What does the work."""
        from sentiment_rnn.sweeps.callback import SweepCallback

        return SweepCallback(self.dry_run)

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check the settings of a single run, and prepare it."""
        with exit_on_user_error():
            check_folder("hydra.run.dir", config.hydra.run.dir)
            check(config)
            self.callback.on_run_start(config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check what all jobs of a sweep share, and prepare them."""
        with exit_on_user_error():
            check_folder("hydra.sweep.dir", config.hydra.sweep.dir)
            if "sampler" in config.hydra.sweeper:
                validated(SearchConfig, plain(config.hydra.sweeper), "hydra.sweeper")
            given = str(OmegaConf.to_container(config.hydra.overrides.task, resolve=False))
            # What is missing, and what a value refers to, the jobs may have.
            if not OmegaConf.missing_keys(sections_of(config)) and "${" not in given:
                check(config)
            self.callback.on_multirun_start(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """End a sweep whose jobs all went well."""
        self.callback.on_multirun_end(config)


def check(config: DictConfig) -> None:
    """Raise `UserError` for a setting that is wrong in every job; what takes no import of torch comes first."""
    run, encoder = checked_without_encoder(config)
    parts = [
        (str(run.task._target_), "task._target_", "task", "objective"),
        (str(encoder["_target_"]), "encoder._target_", "torch module", "forward"),
    ]
    for part in sorted(parts, key=lambda part: part[0].startswith("sentiment_rnn.")):
        class_having(*part)


def check_folder(key: str, folder: str) -> None:
    """Raise `UserError` for a folder in which Hydra could not write, which it would try after all else is loaded."""
    place = Path(folder)
    try:
        tempfile.TemporaryDirectory(
            dir=next(path for path in (place, *place.absolute().parents) if path.is_dir())
        ).cleanup()
    except OSError as error:
        raise UserError(f"{key}={folder}: cannot be written ({error.strerror}); choose another folder") from error


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Leave with one line; Hydra turns any other exception of a callback into a warning and goes on."""
    try:
        yield
    except Exception as error:
        line = line_of(error)
        if line is None:
            from sentiment_rnn.tracking.store_errors import line_of_store  # it loads MLflow

            line = line_of_store(error)
        if line is None:
            line = "the run could not be prepared"
            log.exception(line)
        raise SystemExit(f"error: {line}") from error
