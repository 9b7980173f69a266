"""Copy a sweep's finished runs to another store or server: metrics, parameters, tags, artifacts and models.

sentiment-rnn publish rnn_vs_lstm --to http://127.0.0.1:5000
sentiment-rnn publish rnn_vs_lstm --to sqlite:////shared/runs/mlflow.db --register sentiment

What is there is not sent again, so to publish twice is harmless. Cut off, the same command goes on.
"""

import argparse
from typing import TYPE_CHECKING

from sentiment_rnn.cli.commands import add_experiment, new_parser, opened_store

if TYPE_CHECKING:
    from sentiment_rnn.tracking.publish import Published


def main() -> None:
    """Read the command line and publish."""
    parser = new_parser("publish", __doc__)
    parser.add_argument("sweep", metavar="SWEEP", help="a study's name, or a parent run's id or its beginning")
    parser.add_argument("--to", metavar="URI", required=True, help="address of the other store or server")
    parser.add_argument(
        "--register", metavar="NAME", help="also make its best runs versions of this registered model there"
    )
    add_experiment(parser)
    publish_sweep(parser.parse_args())


def publish_sweep(arguments: argparse.Namespace) -> None:
    """Publish, with a line for each run and for each thing that the other store refused."""
    from tqdm import tqdm

    from sentiment_rnn.config.tracking import TrackingConfig
    from sentiment_rnn.tracking.champions import check_same_data, register_best
    from sentiment_rnn.tracking.models import check_name
    from sentiment_rnn.tracking.publish import publish
    from sentiment_rnn.tracking.results import find_sweep, finished_runs
    from sentiment_rnn.tracking.store import open_store, where_to_look

    if arguments.register:
        check_name(arguments.register)
    source = opened_store(arguments)
    parent = find_sweep(source, arguments.sweep)
    runs = finished_runs(source, parent)
    if arguments.register:
        check_same_data(runs)
    tracking = TrackingConfig(arguments.to, arguments.store, arguments.experiment, system_metrics=False)
    target = open_store(tracking, names=("--store", "--to"))
    done = []
    for found in tqdm(publish(source, parent, runs, target), "Publishing", len(runs), unit=" runs", disable=None):
        done.append(found)
        tqdm.write("\n".join(lines_of(found)))
    sent = sum(found.sent for found in done)
    print(f"{sent} of {len(runs)} runs sent, {len(runs) - sent} were there; {where_to_look(target)}")
    if arguments.register:
        copies = [target.client.get_run(found.run_id) for found in done]
        names = {found.run_id: found.name for found in done}
        for line in register_best(target, arguments.register, copies, names, lambda *_: ""):
            print(line)


def lines_of(published: "Published") -> list[str]:
    """What became of a run, and of what the other store refused."""
    what = "sent" if published.sent else "there already"
    refused = [f"{published.name}: refused: {name} ({why})" for name, why in published.refused.items()]
    return [f"{published.name}: {what}, run {published.run_id}", *refused]
