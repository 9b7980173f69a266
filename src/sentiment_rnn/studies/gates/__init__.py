"""What the gates do while an LSTM reads, and what each encoder would predict after each token."""

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from sentiment_rnn import runtime
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
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of
from sentiment_rnn.studies.kit.learning_rates import validation_accuracy
from sentiment_rnn.studies.kit.restored import best, data_of
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store


def findings(store: Store) -> Findings:
    """Findings from the runs on IMDb, sorted by the encoder's name and by seed."""
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
    lstms = [reader for reader in gated if reader.encoder == "lstm"]
    return Findings(
        tables=[
            sentence_table(readers, len(tokenizer.split(CLAUSE)), styles),
            saturation_table(gated, styles),
            running_table(readers, styles),
        ],
        figures={
            "gates": gate_figure(lstms[0]),
            "saturation": saturation_figure(gated, styles),
            "running": running_figure(readers, styles),
        },
        results=csv_text(("encoder", "seed", "measure", "of", "value"), _rows(readers)),
        verdicts=verdicts(lstms),
        files={"explorer.json": explore(models, tokenizer, UNITS)},
    )


def sentence_table(readers: Sequence[Reader], clause: int, styles: Styles) -> Table:
    """What each encoder predicts at the end of the two sentences, and after the cinema's first clause.

    Args:
        clause: tokens of that clause.
    """
    rows = []
    for encoder, group in _by_encoder(readers).items():
        cells = []
        for name, position in (("weather", -1), ("cinema", clause - 1), ("cinema", -1)):
            logits = [reader.sentences[name].unrolled.running[0, position] for reader in group]
            cells.append(", ".join(f"{float(logit.sigmoid()):.2f}" for logit in logits))
        rows.append((styles[encoder].label, *cells))
    columns = ("encoder", "the weather is hot today", "i really liked the movie", "… but … cleanliness of the cinema")
    return Table("Probability of a positive review after the words in the head, a seed each", columns, rows)


def saturation_table(gated: Sequence[Reader], styles: Styles) -> Table:
    """How often the gates are shut and open, of each encoder that has gates."""
    rows = []
    groups = _by_encoder(gated)
    for encoder, group in groups.items():
        for gate in GATES:
            shut, opened = (mean_of([100 * float(r.saturation[gate][side].mean()) for r in group]) for side in (0, 1))
            name = gate if len(groups) == 1 else f"{gate} ({styles[encoder].label})"
            rows.append((name, shut, opened))
    title = f"Share [%] of units and tokens of {TEST_REVIEWS} test reviews"
    return Table(title, ("gate", "below 0.1", "above 0.9"), rows)


def running_table(readers: Sequence[Reader], styles: Styles) -> Table:
    """How many reviews are right already after a part of them."""
    rows = []
    for encoder, group in _by_encoder(readers).items():
        values = np.array([reader.running for reader in group]) * 100
        rows.append((styles[encoder].label, *(mean_of(list(column)) for column in values.T)))
    columns = ("encoder", *(f"{share:.0%}" for share in SHARES))
    title = f"Running sentiment: accuracy [%] after a part of the review, {TEST_REVIEWS} test reviews"
    return Table(title, columns, rows)


def _by_encoder(readers: Sequence[Reader]) -> dict[str, list[Reader]]:
    groups: dict[str, list[Reader]] = {}
    for reader in readers:
        groups.setdefault(reader.encoder, []).append(reader)
    return groups


def _rows(readers: Sequence[Reader]) -> Iterator[tuple[object, ...]]:
    """The rows of `results.csv`: encoder, seed, measure, what it is of, value."""
    for reader in readers:
        run = (reader.encoder, reader.seed)
        for precision, difference in reader.differences.items():
            yield *run, "largest difference from the module", precision, difference
        for name, sentence in reader.sentences.items():
            yield *run, "probability", name, float(sentence.unrolled.running[0, -1].sigmoid())
        for share, right in zip(SHARES, reader.running, strict=True):
            yield *run, "running accuracy", share, float(right)
        for gate, (shut, opened) in reader.saturation.items():
            yield *run, "share below 0.1", gate, float(shut.mean())
            yield *run, "share above 0.9", gate, float(opened.mean())
        if len(reader.decay):
            for quantile in (0.1, 0.5, 0.9, 1.0):
                value = float(np.quantile(half_lives(reader.decay), quantile))
                yield *run, "half-life of a cell [tokens]", f"quantile {quantile}", value


def verdicts(lstms: Sequence[Reader]) -> list[Verdict]:
    """Whether the forget gates are what keeps."""
    lives = np.array([np.quantile(half_lives(reader.decay), [0.5, 0.9, 1.0]) for reader in lstms])
    median, long, longest = (least_to_most(of_quantile, 1) for of_quantile in lives.T)
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


STUDY = Study(name="gates", order=50, sweeps=(Sweep("gradient_flow_imdb"),), findings=findings)
