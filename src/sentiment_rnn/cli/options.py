"""Options that the commands share, and how a command line is parsed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from sentiment_rnn.cli.errors import fail

if TYPE_CHECKING:  # MLflow takes seconds to load, and `--help` needs none of it
    from sentiment_rnn.tracking.store import Store

FilePath = Annotated[Path, Parameter(converter=lambda _, tokens: Path(os.path.expanduser(tokens[0].value)))]  # noqa: PTH111  # which leaves a user whom nobody knows
"""A path. A ~ that the shell left, as in `--output=~/results`, is expanded."""


@Parameter(name="*")
@dataclass(frozen=True)
class StoreOptions:
    """Where the runs are."""

    store: str = "runs"
    """where the runs are"""
    tracking_uri: Annotated[str | None, Parameter(env_var="MLFLOW_TRACKING_URI")] = None
    """an MLflow server instead"""
    experiment: str = "sentiment_rnn"
    """the MLflow experiment of the runs"""

    def open(self, of_experiment: bool = True) -> "Store":
        """The store that the options name; raises `UserError` where there is none.

        Args:
            of_experiment: require the experiment to exist; a run or a registered model is found without it.
        """
        from sentiment_rnn.config.sections import TrackingConfig
        from sentiment_rnn.tracking.store import existing_store

        config = TrackingConfig(uri=self.tracking_uri, directory=self.store, experiment=self.experiment)
        return existing_store(config, names=("--store", "--tracking-uri"), of_experiment=of_experiment)


def new_app(name: str, purpose: str | None, **more: Any) -> App:
    """A command, or a program with several commands. The parameters of its functions are its options.

    Args:
        purpose: shown by `--help`, as it is.
        more: further arguments of cyclopts' `App`.
    """
    shown = Parameter(negative=(), show_default=lambda value: value or None)
    return App(name, help=purpose, help_format="plaintext", default_parameter=shown, **more)


def call(app: App, words: Sequence[str]) -> None:
    """Run the command that these words ask for, print its help, or exit with one line for a wrong option."""
    if "-" in words and "--" not in words:  # standard input, which cyclopts would take for an option
        words = [*(word for word in words if word != "-"), "--", "-"]
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        command = " ".join([*app.name, *(error.command_chain or ())])
        fail(f"{' '.join(str(error).split())} {command} --help says what it takes.", status=2)
