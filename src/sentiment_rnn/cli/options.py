"""Options that several commands share, and how the words behind a command become the arguments of its function."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from sentiment_rnn.cli.errors import fail

if TYPE_CHECKING:  # MLflow takes seconds to load, and `--help` needs none of it
    from sentiment_rnn.tracking.store import Store

FilePath = Annotated[Path, Parameter(converter=lambda _, tokens: Path(os.path.expanduser(tokens[0].value)))]  # noqa: PTH111  # which leaves a user whom nobody knows
"""A path, in which a shell may have left ~, as in `--output=~/results`."""


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
            of_experiment: whether it has to have the experiment; a run and a registered model are found without.
        """
        from sentiment_rnn.config.sections import TrackingConfig
        from sentiment_rnn.tracking.store import existing_store

        config = TrackingConfig(uri=self.tracking_uri, directory=self.store, experiment=self.experiment)
        return existing_store(config, names=("--store", "--tracking-uri"), of_experiment=of_experiment)


def call_with(words: Sequence[str], command: str, module: ModuleType) -> None:
    """Call a command's `main`, whose parameters are its options; print its help, or one line for a wrong option.

    Args:
        words: what stands behind the command.
        command: how it is called.
        module: its docstring is the purpose, with examples; the docstring of `main` has the meanings of its options.
    """
    app = App(
        name=command, help=module.__doc__, help_format="plaintext", group_commands="Parameters", version_flags=(),
        default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
    )  # fmt: skip
    app.default(module.main)
    if "-" in words and "--" not in words:  # standard input, which cyclopts would take for an option
        words = [*(word for word in words if word != "-"), "--", "-"]
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        fail(f"{' '.join(str(error).split())} {command} --help lists the options.", status=2)
