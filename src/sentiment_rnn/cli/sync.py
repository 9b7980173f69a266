"""Send to the tracking server what runs could not send while it was away."""

import argparse
from pathlib import Path

from sentiment_rnn.cli.trained_model import add_tracking_uri
from sentiment_rnn.errors import UserError


def main() -> None:
    """Read the command line and send."""
    parser = argparse.ArgumentParser(
        prog="sentiment-rnn sync",
        description="Send to the tracking server what runs could not send while it was away. "
        "A run that is still at work sends by itself.",
    )
    parser.add_argument("folder", nargs="?", default="runs", help="tracking.directory of the runs (default: runs)")
    add_tracking_uri(parser, "where to send it (default: MLFLOW_TRACKING_URI, else the server that a run began on)")
    arguments = parser.parse_args()
    sync(Path(arguments.folder), arguments.tracking_uri)


def sync(directory: Path, uri: str | None) -> None:
    """Send what each run in a folder has left; a line on each.

    Raises:
        UserError: there is no such folder, or something could not be sent.
    """
    from sentiment_rnn.tracking.sync import send_everything

    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; give the tracking.directory of the runs")
    found = 0
    for line in send_everything(directory.absolute(), uri):
        found += 1
        print(line, flush=True)
    if not found:
        print(f"{directory}: nothing to send")
