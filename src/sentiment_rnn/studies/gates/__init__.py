"""What the gates do while an LSTM reads, and what each encoder would predict after each token."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.report.statistics import accuracy_interval, geometric_interval, percent, with_bounds
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.gates.explorer import explore
from sentiment_rnn.studies.gates.figures import UNITS, gate_figure, running_figure, saturation_figure
from sentiment_rnn.studies.gates.readers import (
    CLAUSE,
    GATES,
    SHARES,
    TEST_REVIEWS,
    Reader,
    half_lives,
    reader_of,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles, plain_styles_of
from sentiment_rnn.studies.kit.findings import Findings, mean_of
from sentiment_rnn.studies.kit.learning_rates import validation_accuracy
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.restored import best, data_of
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

PROBABILITY, RUNNING, SHUT, OPEN, HALF_LIFE = (
    "probability", "running accuracy", "share below 0.1", "share above 0.9", "half-life of a cell [tokens]",
)  # fmt: skip
"""Measures in `results.csv`."""
KEEPS = 100
"""Tokens for which an open gate keeps half of a cell."""
Values = dict[str, dict[tuple[str, str], list[float]]]
"""By encoder, measure and what it is of, one number per seed."""


def measure(store: Store) -> Measurements:
    """What the gates of the runs on IMDb do; runs are sorted by the encoder's name and by seed."""
    runtime.prepare(runtime.cores())
    results = sorted(results_of_sweeps(store, "gradient_flow_imdb"), key=lambda result: (result.encoder, result.seed))
    styles = plain_styles_of(results)
    readers = [reader_of(result) for result in tqdm(results, "Reading", unit=" runs", disable=None, leave=False)]
    chosen = {
        encoder: max((result for result in results if result.encoder == encoder), key=validation_accuracy)
        for encoder in ("rnn", "lstm")
    }
    models = {encoder: best(result) for encoder, result in chosen.items()}
    tokenizer = data_of(chosen["lstm"]).corpus.tokenizer
    gated = [reader for reader in readers if reader.saturation]
    rows = _rows(readers, clause=len(tokenizer.split(CLAUSE)))
    return Measurements.of_rows(
        ("encoder", "seed", "measure", "of", "value"),
        rows,
        styles,
        {"explorer.json": explore(models, tokenizer, UNITS)},
        {
            "gates": gate_figure(next(reader for reader in gated if reader.encoder == "lstm")),
            "saturation": saturation_figure(gated, styles),
            "running": running_figure(readers, styles),
        },
    )


def _rows(readers: Sequence[Reader], clause: int) -> Iterator[tuple[object, ...]]:
    """The rows of `results.csv`: encoder, seed, measure, what it is of, value.

    Args:
        clause: tokens of the first clause of the sentence on the cinema.
    """
    for reader in readers:
        run = (reader.encoder, reader.seed)
        for precision, difference in reader.differences.items():
            yield *run, "largest difference from the module", precision, difference
        for name, sentence in reader.sentences.items():
            yield *run, PROBABILITY, name, float(sentence.unrolled.running[0, -1].sigmoid())
        yield *run, PROBABILITY, "clause", float(reader.sentences["cinema"].unrolled.running[0, clause - 1].sigmoid())
        for share, right in zip(SHARES, reader.running, strict=True):
            yield *run, RUNNING, share, float(right)
        for gate, (shut, opened) in reader.saturation.items():
            yield *run, SHUT, gate, float(shut.mean())
            yield *run, OPEN, gate, float(opened.mean())
        if len(reader.decay):
            for quantile in (0.1, 0.5, 0.9, 1.0):
                value = float(np.quantile(half_lives(reader.decay), quantile))
                yield *run, HALF_LIFE, f"quantile {quantile}", value


def findings(folder: Path) -> Findings:
    """Findings from the measures of the gates."""
    values, styles = read_values(folder), read_styles(folder)
    return Findings(
        tables=[sentence_table(values, styles), saturation_table(values, styles), running_table(values, styles)],
        verdicts=verdicts(values["lstm"]),
    )


def read_values(folder: Path) -> Values:
    """The measures of `results.csv`."""
    values: Values = {}
    for row in read_rows(folder):
        of_encoder = values.setdefault(row["encoder"], {})
        of_encoder.setdefault((row["measure"], row["of"]), []).append(float(row["value"]))
    return values


def sentence_table(values: Values, styles: Styles) -> Table:
    """What each encoder predicts at the end of the two sentences, and after the cinema's first clause."""
    rows = [
        (
            styles[encoder].label,
            *(
                ", ".join(f"{value:.2f}" for value in measures[PROBABILITY, of])
                for of in ("weather", "clause", "cinema")
            ),
        )
        for encoder, measures in values.items()
    ]
    columns = ("encoder", "the weather is hot today", "i really liked the movie", "… but … cleanliness of the cinema")
    return Table("Probability of a positive review after the words in the head, one number per seed", columns, rows)


def saturation_table(values: Values, styles: Styles) -> Table:
    """How often the gates are shut and open, of each encoder that has gates."""
    gated = {encoder: measures for encoder, measures in values.items() if (OPEN, GATES[0]) in measures}
    rows = []
    for encoder, measures in gated.items():
        for gate in GATES:
            shares = (mean_of([100 * value for value in measures[side, gate]]) for side in (SHUT, OPEN))
            rows.append((gate if len(gated) == 1 else f"{gate} ({styles[encoder].label})", *shares))
    title = f"Share [%] of units and tokens of {TEST_REVIEWS} test reviews"
    return Table(title, ("gate", "below 0.1", "above 0.9"), rows)


def running_table(values: Values, styles: Styles) -> Table:
    """How many reviews are right already after a part of them."""
    rows = [
        (
            styles[encoder].label,
            *(mean_of([100 * value for value in measures[RUNNING, f"{share:.6g}"]]) for share in SHARES),
        )
        for encoder, measures in values.items()
    ]
    columns = ("encoder", *(f"{share:.0%}" for share in SHARES))
    title = f"Running sentiment: accuracy [%] after a part of the review, {TEST_REVIEWS} test reviews"
    return Table(title, columns, rows)


def verdicts(lstm: Mapping[tuple[str, str], Sequence[float]]) -> list[Verdict]:
    """Whether the forget gates are what keeps.

    An open gate keeps half of a cell for `KEEPS` tokens. The claim's parts are the median unit and the one at the 90th
    percentile. Half-lives are averaged as logarithms, since they differ by factors.
    """
    median, ninetieth, longest = (
        geometric_interval(lstm[HALF_LIFE, f"quantile {quantile}"]) for quantile in (0.5, 0.9, 1.0)
    )
    opened = accuracy_interval(lstm[OPEN, "forget"])
    return [
        Verdict(
            "A trained LSTM keeps its forget gates open.",
            judged(above(median, KEEPS), above(ninetieth, KEEPS)),
            f"On IMDb {percent(opened)} of its forget gates are above 0.9. Half of a cell is left after "
            f"{with_bounds(median, 1)} tokens in the median unit, {with_bounds(ninetieth, 1)} in the 90th-percentile "
            f"unit and {with_bounds(longest, 0)} in the longest-lived; an open gate would keep it for {KEEPS}.",
        )
    ]


STUDY = Study(name="gates", order=50, sweeps=(Sweep("gradient_flow_imdb"),), measure=measure, findings=findings)
