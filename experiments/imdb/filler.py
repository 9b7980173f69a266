"""Cost of neutral words after a review to a model of IMDb, by `protocols/2026-11-28_filler.md`.

Filler is put behind a review or in front of it. What does the model still predict? What does its state hold?
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri
from tqdm import tqdm

from experiments.gradient.models import data_of, load_tested
from experiments.lab.figures import arm_panels
from experiments.lab.findings import Findings, mean_of
from experiments.lab.rules import NO_SEED, Evidence, Numbers, Verdict, beyond, judged, most, tally
from experiments.lab.statistics import holm, points, probability_of_superiority, sign_p
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured, trained_runs
from sentiment_rnn import runtime
from sentiment_rnn.data.batching import Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.sources.generated import NEUTRAL
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.plotting import styled
from sentiment_rnn.report.statistics import percent, t_interval, welch_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

SWEEP = "real_text"
"""Whose models read."""
ARMS = ("rnn", "gru", "lstm")
SENTENCES, STOPS = "neutral", "full stops"
FILLERS = {SENTENCES: " . ".join(NEUTRAL) + " .", STOPS: "."}
"""Texts that are repeated; the last token of filler is always a full stop."""
BEHIND, IN_FRONT = "behind", "in front"
"""Places of filler. In front the text is as strange and as long, but the review is read last."""
NOTHING = "none"
STATE, ANSWER = "state", "answer"
"""Scores whose area under the ROC curve is measured: a linear classifier's of the states, and the model's logits."""
REVIEWS = 2000
"""Reviews of each split that are read with filler."""
RIDGE = 1e-3
"""Share of the mean variance that `discriminant` adds to the diagonal of a covariance."""


class Setting(NamedTuple):
    """Filler that is read with a review."""

    amount: int
    """Tokens."""
    filler: str = SENTENCES
    """A name in `FILLERS`."""
    place: str = BEHIND

    @property
    def condition(self) -> str:
        """`400 neutral in front`, `100 neutral behind` or `none`, as results have it."""
        return f"{self.amount} {self.filler} {self.place}" if self.amount else NOTHING


AMOUNTS = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
MOST = AMOUNTS[-1]
"""Most tokens behind a review, and the number in front of it."""
RISING = [Setting(amount) for amount in AMOUNTS]
SETTINGS = [*RISING, Setting(MOST, SENTENCES, IN_FRONT), Setting(MOST, STOPS), Setting(MOST, STOPS, IN_FRONT)]
CONDITIONS = [setting.condition for setting in SETTINGS]
KNOWS = 0.7
"""Area without filler above which a seed knows something that it can forget."""
CERTAIN = 1e-6
"""No area counts as closer to 0 or 1 than this: its z would have no bounds."""
MARGIN = 0.1
"""Share of what was known: a loss up to this counts as none."""
MORE = "more"
"""The claim on two arms. A claim on a single arm has the arm's name."""

ByModel = Mapping[tuple[str, str], pd.DataFrame]
"""Table by measure and arm: a row for each seed, a column for each condition."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Areas of the models of `SWEEP` in each setting."""
    runtime.prepare(runtime.cores())
    runs = [run for run in trained_runs(store, SWEEP, overrides) if run.encoder in ARMS]
    runs.sort(key=lambda run: (ARMS.index(run.encoder), run.seed))
    found = Measured()
    for run in tqdm(runs, "Reading with filler", unit=" runs", disable=None, leave=False):
        for setting, of, area in areas(run, SETTINGS):
            at = SWEEP, protocol.name, run.encoder, setting.condition, run.seed, None
            found.rows.append((*at, "test", of, area))
    return found


def areas(result: RecordedRun, settings: Iterable[Setting]) -> Iterator[tuple[Setting, str, float]]:
    """Areas under the ROC curve of the model that a run tested, in each setting: of its answers, and of its states.

    Accuracy would also fall where filler moves every logit alike, though nothing was forgotten. The classifier of the
    states is fitted to the validation reviews, read with the same filler.
    """
    data, model = data_of(result), load_tested(result)
    for setting in settings:
        known, states = read(model, data, "validation", setting)
        labels, tested = read(model, data, "test", setting)
        answers = (tested @ model.output.weight.detach().T).squeeze(1).numpy()  # the bias moves all alike
        yield setting, ANSWER, area(answers, labels)
        line = discriminant(states.double().numpy(), known)
        yield setting, STATE, area(tested.double().numpy() @ line, labels)


def read(model: SentimentClassifier, data: ReviewData, split: str, setting: Setting) -> tuple[np.ndarray, torch.Tensor]:
    """Labels, bool [N], and pooled states, float32 [N, D], of `REVIEWS` of a split with filler, drawn with seed 0."""
    reviews = data.reviews(split)
    chosen = np.random.default_rng(0).permutation(len(reviews))[:REVIEWS]
    chosen = chosen[np.argsort(reviews.lengths[chosen])]
    filler = filler_tokens(data.corpus.tokenizer, setting.filler, setting.amount)
    parts = np.array_split(chosen, -(-len(chosen) // data.config.eval_batch_size))
    states = [
        states_of(model, [with_filler(reviews.tokens_of(i), filler, setting.place) for i in part]) for part in parts
    ]
    return reviews.split.labels[chosen] == 1, torch.cat(states)


def filler_tokens(tokenizer: Tokenizer, filler: str, amount: int) -> np.ndarray:
    """int64 [amount]: the text of a filler, over and over; the last token is a full stop."""
    text = tokenizer.encode(FILLERS[filler]).astype(np.int64)
    tokens = np.resize(text, amount)
    tokens[-1:] = text[-1]
    return tokens


def with_filler(review: np.ndarray, filler: np.ndarray, place: str) -> np.ndarray:
    """The tokens of a review with filler behind it, or in front of it."""
    return np.concatenate([filler, review] if place == IN_FRONT else [review, filler])


def states_of(model: SentimentClassifier, texts: Sequence[np.ndarray]) -> torch.Tensor:
    """Pooled states, float32 [B, D], of token arrays, padded to the longest."""
    batch = Reviews(Split.of(texts), max(map(len, texts)), "tail")[list(range(len(texts)))]
    with torch.no_grad():
        return model.pooled(model.backbone.embed(batch.tokens), batch.lengths)


def discriminant(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float [D], Fisher's linear discriminant (1936) of states [N, D] by labels, bool [N].

    `RIDGE` keeps it defined where units do not vary, or vary together.
    """
    classes = [states[labels], states[~labels]]
    centered = np.concatenate([group - group.mean(0) for group in classes])
    covariance = centered.T @ centered / len(states)
    covariance += RIDGE * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    return np.asarray(np.linalg.solve(covariance, classes[0].mean(0) - classes[1].mean(0)))


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve of scores [N] by labels, bool [N]: the share of pairs of a positive and a negative
    review in which the positive one's score is higher. Ties count one half."""
    return probability_of_superiority([(scores[labels].tolist(), scores[~labels].tolist())])


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Share that is kept, loss by place, and areas, with verdicts; nothing before all arms have read."""
    planned = evidence.study.sweep(SWEEP).seeds
    rows = table[(table.protocol == evidence.protocol.name) & table.seed.isin(planned)]
    if not set(ARMS) <= set(rows.arm):
        return Findings()
    measured = {
        (measure, arm): rows[(rows.metric == measure) & (rows.arm == arm)].pivot(
            index="seed", columns="condition", values="value"
        )
        for measure in (STATE, ANSWER) for arm in ARMS
    }  # fmt: skip
    kept = {model: what_is_kept(of_model) for model, of_model in measured.items()}
    whole = all(len(of_model) == len(planned) for of_model in measured.values())
    return Findings(
        {
            "loss": loss_table(evidence, kept, [SENTENCES]),
            "kept": kept_table(evidence, measured, kept),
            "areas": area_table(evidence, measured),
            "losses": loss_table(evidence, kept, [SENTENCES, STOPS]),
        },
        verdicts(evidence, losses_of_claims(kept), whole),
        {"filler": filler_figure(evidence, kept)},
    )


def what_is_kept(areas: pd.DataFrame) -> pd.DataFrame:
    """Share that is kept: z of the area with filler divided by z without it, for each seed that knows something.

    z is the quantile of the normal distribution at an area. √2 z is the distance d' of the two classes in standard
    deviations (Green & Swets 1966).
    """
    z = ndtri(areas[areas[NOTHING] > KNOWS].clip(CERTAIN, 1 - CERTAIN))
    return z.div(z[NOTHING], axis=0)


def loss_by_place(kept: pd.DataFrame, filler: str = SENTENCES) -> pd.Series:
    """Share that each seed of an arm keeps with the most filler in front, minus its share with as much behind."""
    return kept[Setting(MOST, filler, IN_FRONT).condition] - kept[Setting(MOST, filler).condition]


def losses_of_claims(kept: ByModel) -> dict[str, pd.Series]:
    """Losses by place of the seeds that know something, or differences of two arms' losses by seed, for each claim."""
    losses = {arm: loss_by_place(kept[STATE, arm]) for arm in ARMS}
    return losses | {MORE: (losses["rnn"] - losses["lstm"]).dropna()}


def lost(losses: pd.Series) -> tuple[int, int]:
    """Number of seeds that lose more than `MARGIN`, and number of all."""
    return beyond(losses, MARGIN), len(losses)


def verdicts(evidence: Evidence, losses: Mapping[str, pd.Series], whole: bool) -> dict[str, Verdict]:
    """Verdicts by the rules of the protocol; nothing is decided while planned seeds are missing."""
    counts = {claim: lost(of_seeds) for claim, of_seeds in losses.items()}
    adjusted = holm({claim: sign_p(*count) if count[1] else 1.0 for claim, count in counts.items()})
    left = () if whole else (Numbers("all planned seeds"),)
    return {
        claim: Verdict(judged(most(*counts[claim], p) if whole else None), (row_of(evidence, claim, losses, p), *left))
        for claim, p in adjusted.items()
    }


def row_of(evidence: Evidence, claim: str, losses: Mapping[str, pd.Series], p: float) -> Numbers:
    """Numbers of a claim: the seeds that it counts, and a mean with its t interval, Welch's for two arms."""
    arms = ("rnn", "lstm") if claim == MORE else (claim,)
    labels = [evidence.label(arm) for arm in arms]
    more = "more" if claim == MORE else "by the filler's place"
    row = Numbers(f"over {100 * MARGIN:g} points {more}", labels[0], NO_SEED, *labels[1:])
    if losses[claim].empty:
        return row
    first, *others = ([*losses[arm][losses[claim].index]] for arm in arms)
    mean = welch_interval(first, others[0]) if others else t_interval(first)
    return row._replace(number=tally(*lost(losses[claim])), difference=points(mean), p=f"{p:.2g}")


def kept_table(evidence: Evidence, measured: ByModel, kept: ByModel) -> Table:
    """The share kept, by measure and arm, in each setting."""
    rows = []
    for (measure, arm), found in kept.items():
        cells = [percent(t_interval(list(found[at]))) if len(found) else "" for at in CONDITIONS[1:]]
        rows.append((measure, evidence.label(arm), f"{len(found)}/{len(measured[measure, arm])}", *cells))
    title = (
        f"What is kept of what was known, by filler: mean with its 95 % t interval over the seeds that know something "
        f"({REVIEWS:,} reviews)"
    )
    return Table(title, ("of", "arm", "seeds", *CONDITIONS[1:]), rows)


def loss_table(evidence: Evidence, kept: ByModel, fillers: Sequence[str]) -> Table:
    """The loss by place, by measure, arm and filler."""
    rows = [
        (measure, evidence.label(arm), filler, points(t_interval(list(losses))), tally(*lost(losses)))
        for (measure, arm), found in kept.items() if len(found)
        for filler, losses in ((filler, loss_by_place(found, filler)) for filler in fillers)
    ]  # fmt: skip
    title = (
        f"Loss by place [points of what was known]: with {MOST} tokens in front, less with {MOST} behind. Mean with "
        f"its 95 % t interval; seeds that lose more than {100 * MARGIN:.0f}"
    )
    return Table(title, ("of", "arm", "filler", "loss", "seeds"), rows)


def area_table(evidence: Evidence, measured: ByModel) -> Table:
    """Areas of all seeds, by measure, arm and setting."""
    rows = [
        (measure, evidence.label(arm), *(mean_of(100 * areas[condition]) for condition in CONDITIONS))
        for (measure, arm), areas in measured.items()
    ]
    title = "Area under the ROC curve [%] by filler, mean ± deviation over all seeds"
    return Table(title, ("of", "arm", *CONDITIONS), rows)


@styled
def filler_figure(evidence: Evidence, kept: ByModel) -> Figure:
    """A panel for each arm: what its states keep, a line for each seed and their mean; what its answers keep, in the
    mean; and what states keep with as much filler in front."""

    def draw(axes: Axes, arm: str) -> None:
        color = evidence.study.arms[arm].color
        if len(kept[STATE, arm]):
            behind = [setting.condition for setting in RISING]
            states, answers = (100 * kept[measure, arm][behind].to_numpy().T for measure in (STATE, ANSWER))
            axes.plot(AMOUNTS, states, color=color, alpha=0.3, linewidth=0.8)
            axes.plot(AMOUNTS, states.mean(1), color=color, linewidth=2.4, label="state, mean of seeds")
            axes.plot(AMOUNTS, answers.mean(1), "--", color="#444444", label="answer, mean of seeds")
            front = 100 * kept[STATE, arm][Setting(MOST, SENTENCES, IN_FRONT).condition]
            axes.plot([MOST] * len(front), front, "x", color="#444444", markersize=5, label="state, filler in front")
        axes.set_ylim(min(-5, axes.get_ylim()[0]), max(112, axes.get_ylim()[1]))
        axes.set_xticks([0, 100, 200, 400])

    figure = arm_panels(
        ARMS, evidence.study.arms, "neutral tokens behind the review", "kept of what was known [%]", draw
    )
    last = figure.axes[len(ARMS) - 1]  # where the least is lost
    if last.lines:
        last.legend(loc="lower left", fontsize="x-small")
    return figure
