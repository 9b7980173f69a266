"""Copy a sweep's finished runs to another store or server: metrics, parameters, tags, artifacts and models.

sentiment-rnn publish rnn_vs_lstm --to http://127.0.0.1:5000
sentiment-rnn publish rnn_vs_lstm --to sqlite:////shared/runs/mlflow.db --register sentiment

Publishing twice is harmless: runs that are already there are not sent again. After an interruption, the same command
resumes.
"""

from typing import TYPE_CHECKING

from sentiment_rnn.cli.options import StoreOptions

if TYPE_CHECKING:
    from sentiment_rnn.tracking.publish import Published


def main(sweep: str, /, *, to: str, register: str | None = None, options: StoreOptions = StoreOptions()) -> None:
    """Publish a sweep. Prints a line for each run, and for each part of it that the other store refused.

    Args:
        sweep: a study's name, or a parent run's id or its beginning
        to: address of the other store or server
        register: also make its best runs versions of this registered model there
    """
    from tqdm import tqdm

    from sentiment_rnn.config.sections import TrackingConfig
    from sentiment_rnn.tracking.champions import check_entrants, register_best
    from sentiment_rnn.tracking.models import check_name
    from sentiment_rnn.tracking.publish import publish
    from sentiment_rnn.tracking.results import RecordedRun
    from sentiment_rnn.tracking.store import open_store, where_to_look
    from sentiment_rnn.tracking.sweeps import find_sweep, results_of

    if register:
        check_name(register)
    source = options.open()
    parent = find_sweep(source, sweep)
    runs = results_of(source, parent)
    if register:
        check_entrants(register, runs)
    tracking = TrackingConfig(to, options.store, options.experiment, system_metrics=False)
    target = open_store(tracking, names=("--store", "--to"))
    done = []
    for published in tqdm(publish(source, parent, runs, target), "Publishing", len(runs), unit=" runs", disable=None):
        done.append(published)
        tqdm.write("\n".join(lines_of(published)))
    sent = sum(published.sent for published in done)
    print(f"{sent} of {len(runs)} runs sent, {len(runs) - sent} were there; {where_to_look(target)}")
    if register:
        copies = [RecordedRun(target, target.client.get_run(published.run_id)) for published in done]
        names = {published.run_id: published.name for published in done}
        for line in register_best(target, register, copies, names):
            print(line)


def lines_of(published: "Published") -> list[str]:
    """One line on what became of a run, and one for each part that the other store refused."""
    what = "sent" if published.sent else "there already"
    refused = [f"{published.name}: refused: {name} ({why})" for name, why in published.refused.items()]
    return [f"{published.name}: {what}, run {published.run_id}", *refused]
