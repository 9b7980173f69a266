"""What the gates do while an LSTM reads, and what each encoder would say after each token."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.data.text import tokenize
from sentiment_rnn.studies.explorer import explore
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of
from sentiment_rnn.studies.gate_figures import UNITS, gate_figure, running_figure, saturation_figure
from sentiment_rnn.studies.rates import validation_accuracy
from sentiment_rnn.studies.reading import GATES, REVIEWS, SHARES, Reader, half_lives, reader_of
from sentiment_rnn.studies.starts import seed_of
from sentiment_rnn.studies.trained import best, data_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("gradient_flow_imdb",)


def findings(store: Store) -> Findings:
    """What the runs on IMDb say."""
    runtime.prepare(runtime.cores())
    runs = sorted(runs_of(store, EXPERIMENTS[0]), key=lambda run: (run.data.params["encoder.name"], seed_of(run)))
    readers = [reader_of(store, run) for run in tqdm(runs, desc="Reading", unit=" runs", disable=None, leave=False)]
    chosen = {
        name: max((run for run in runs if run.data.params["encoder.name"] == name), key=validation_accuracy)
        for name in ("rnn", "lstm")
    }
    models = {name: best(store, run) for name, run in chosen.items()}
    vocabulary = data_of(store, chosen["lstm"])[1].corpus.vocabulary
    lstms = [reader for reader in readers if reader.encoder == "lstm"]
    return Findings(
        tables=[sentence_table(readers), saturation_table(lstms), running_table(readers)],
        figures={
            "gates": gate_figure(lstms[0]),
            "saturation": saturation_figure(lstms),
            "running": running_figure(readers),
        },
        results=csv_text(("encoder", "seed", "measure", "of", "value"), list(_rows(readers))),
        verdicts=verdicts(lstms),
        files={"explorer.json": explore(models, vocabulary, UNITS)},
    )


def sentence_table(readers: Sequence[Reader]) -> Table:
    """What each encoder says at the end of the two sentences, and at the end of the cinema's first clause."""
    clause = len(tokenize("i really liked the movie"))
    rows = []
    for encoder in dict.fromkeys(reader.encoder for reader in readers):
        group = [reader for reader in readers if reader.encoder == encoder]
        cells = []
        for name, position in (("weather", -1), ("cinema", clause - 1), ("cinema", -1)):
            said = [float(reader.sentences[name].running[0, position].sigmoid()) for reader in group]
            cells.append(", ".join(f"{probability:.2f}" for probability in said))
        rows.append((encoder, *cells))
    columns = ("encoder", "the weather is hot today", "i really liked the movie", "… but … cleanliness of the cinema")
    return Table("Probability of a positive review after the words in the head, a seed each", columns, rows)


def saturation_table(lstms: Sequence[Reader]) -> Table:
    """How often the LSTMs' gates are shut and open."""
    rows = []
    for gate in GATES:
        shut, opened = (mean_of([100 * float(r.saturation[gate][side].mean()) for r in lstms]) for side in (0, 1))
        rows.append((gate, shut, opened))
    return Table(f"Share [%] of units and tokens of {REVIEWS} test reviews", ("gate", "below 0.1", "above 0.9"), rows)


def running_table(readers: Sequence[Reader]) -> Table:
    """How many reviews are right already after a part of them."""
    rows = []
    for encoder in dict.fromkeys(reader.encoder for reader in readers):
        values = np.array([reader.running for reader in readers if reader.encoder == encoder]) * 100
        rows.append((encoder, *(mean_of(list(column)) for column in values.T)))
    columns = ("encoder", *(f"{share:.0%}" for share in SHARES))
    return Table(f"Running sentiment: accuracy [%] after a part of the review, {REVIEWS} test reviews", columns, rows)


def _rows(readers: Sequence[Reader]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for reader in readers:
        head = (reader.encoder, reader.seed)
        rows += [
            (*head, "largest difference from the module", name, found) for name, found in reader.differences.items()
        ]
        for name, sentence in reader.sentences.items():
            rows.append((*head, "probability", name, float(sentence.running[0, -1].sigmoid())))
        for share, right in zip(SHARES, reader.running, strict=True):
            rows.append((*head, "running accuracy", share, float(right)))
        for gate, (shut, opened) in reader.saturation.items():
            rows += [
                (*head, "share below 0.1", gate, float(shut.mean())),
                (*head, "share above 0.9", gate, float(opened.mean())),
            ]
        if len(reader.decay):
            for quantile in (0.1, 0.5, 0.9, 1.0):
                value = float(np.quantile(half_lives(reader.decay), quantile))
                rows.append((*head, "half-life of a cell [tokens]", f"quantile {quantile}", value))
    return rows


def verdicts(lstms: Sequence[Reader]) -> list[Verdict]:
    """Whether the forget gates are what keeps."""
    lives = np.array([np.quantile(half_lives(reader.decay), [0.5, 0.9, 1.0]) for reader in lstms])
    median, long, longest = (least_to_most(found, 1) for found in lives.T)
    opened = np.array([100 * float(reader.saturation["forget"][1].mean()) for reader in lstms])
    return [
        Verdict(
            "A trained LSTM keeps its forget gates open.",
            judged(opened.min() > 50 and lives[:, 1].min() > 100, lives[:, 2].min() > 100),
            f"On IMDb {least_to_most(opened)} % of its forget gates are above 0.9; half of a cell is "
            f"left after {median} tokens in the median unit, {long} in the unit that nine tenths do not outlast, and "
            f"{longest} in the longest-lived (least and most of {len(lstms)} seeds).",
        )
    ]
