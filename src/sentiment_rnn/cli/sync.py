"""Send to the tracking server what runs could not send while it was away.

sentiment-rnn sync
sentiment-rnn sync --store FOLDER

Without --tracking-uri and MLFLOW_TRACKING_URI it goes to the server that a run began on. A run that is still at work
sends by itself.
"""

from pathlib import Path

from sentiment_rnn.cli.commands import new_parser
from sentiment_rnn.environment import libraries_are_loaded
from sentiment_rnn.errors import UserError


def main() -> None:
    """Read the command line and send."""
    arguments = new_parser("sync", __doc__).parse_args()
    sync(Path(arguments.store).expanduser(), arguments.tracking_uri)


def sync(directory: Path, uri: str | None) -> None:
    """Send what each run in a folder has left; a line on each.

    Raises:
        UserError: there is no such folder, or something could not be sent.
    """
    from sentiment_rnn.tracking import publish

    libraries_are_loaded()
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; give that of the runs with --store")
    found = 0
    for line in publish.sync(directory.absolute(), uri):
        found += 1
        print(line, flush=True)
    if not found:
        print(f"{directory}: nothing to send")
