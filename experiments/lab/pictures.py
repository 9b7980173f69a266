"""The five pictures that carry the answer, each to be understood without its page, as SVG and PNG in `docs/images`.

- `review`: a generated review, its lag, and where a gradient was cut;
- `reach`: how likely a search of four draws succeeds, by encoder and lag;
- `steps`: the share of runs that has learned, by training steps;
- `cut`: accuracy by how far back the gradient reaches;
- `text`: accuracy on IMDb, from scratch or from a language model, at the last state or pooled.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.lab.figures import label_ends
from experiments.lab.reach_findings import DrawnEvidence, figure, first_draws
from experiments.lab.results import RESULTS, read_results, values_of
from experiments.lab.rules import LEARNS
from experiments.lab.study import find_study
from sentiment_rnn.data.sources.generated import CINEMA, FILM, JOINTS, write_review
from sentiment_rnn.report.plotting import GUIDE, WIDTH, ink, line_of, new_figure, save_figure, styled

FOLDER = Path("docs", "images")
DECIDES, DISTRACTS, NEUTRAL = "#CFE3F5", "#FBE3C8", "#FFFFFF"
"""Colours of clauses: about the film, about the cinema, about neither."""
CUT = "#B00020"
"""Colour of where a gradient stops, and of what fails for it."""
SEED, DRAWN_LAG = 42, 22
"""Of the drawn review."""
PUBLISHED = {"linear, published": 91.82, "LSTM, published": 94.09}
"""Test accuracy on IMDb [%]: of naive Bayes log-count ratios with logistic regression (Mesnil et al. 2015, their code),
and of one LSTM with virtual adversarial training (Miyato et al. 2017, table 2)."""


class Word(NamedTuple):
    """A token of a drawn review."""

    text: str
    color: str


def drawn_review(label: int, lag: int, seed: int) -> list[Word]:
    """The words of a generated review, coloured by what their clause is about."""
    clauses: list[list[str]] = [[]]
    for token in write_review(label, lag, np.random.default_rng(seed)):
        if token in JOINTS:
            clauses.append([token])
        else:
            clauses[-1].append(token)
    words = []
    for clause in clauses:
        topic = DECIDES if {*FILM} & {*clause} else DISTRACTS if {*CINEMA} & {*clause} else NEUTRAL
        words += [Word(token, NEUTRAL if token in JOINTS else topic) for token in clause]
    return words


@styled
def review(words: Sequence[Word], lag: int) -> Figure:
    """A review as text, with its lag; below, a box for each of its tokens, and where a gradient was cut."""
    figure = Figure(figsize=(WIDTH, 2.6))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.03, 0.96, 0.94))
    axes.set(xlim=(0, WIDTH), ylim=(0, 2.4))
    axes.axis("off")
    left, line, gap = 0.05, 2.1, 0.06
    for number, word in enumerate(words):
        drawn = axes.text(left, line, word.text, fontsize=11, va="center")
        width = drawn.get_window_extent().transformed(axes.transData.inverted()).width
        if left + width > WIDTH - 0.1:
            left, line = 0.05, line - 0.3
            drawn.set_position((left, line))
        joined = number + 1 < len(words) and words[number + 1].color == word.color
        reach_of_box = width + (gap if joined else 0)
        axes.add_patch(
            Rectangle((left - 0.02, line - 0.12), reach_of_box + 0.04, 0.25, fc=word.color, ec="none", zorder=0)
        )
        left += width + gap
    for number, (color, meaning) in enumerate(
        {DECIDES: "about the film: decides", DISTRACTS: "about the cinema: distracts"}.items()
    ):
        axes.add_patch(Rectangle((0.1 + 2.2 * number, 1.15), 0.16, 0.14, fc=color, ec="#BBBBBB", lw=0.6))
        axes.text(0.32 + 2.2 * number, 1.22, meaning, fontsize=9, va="center")
    axes.text(WIDTH - 0.1, 1.22, "label: positive", fontsize=9, va="center", ha="right")
    boxes(axes, words, lag)
    return figure


def boxes(axes: Axes, words: Sequence[Word], lag: int) -> None:
    """The strip of tokens, with the lag above it and the two cuts below."""
    width, height, bottom = (WIDTH - 0.2) / len(words), 0.2, 0.42
    for number, word in enumerate(words):
        axes.add_patch(Rectangle((0.1 + number * width, bottom), width, height, fc=word.color, ec="#BBBBBB", lw=0.6))
    deciding = [number for number, word in enumerate(words) if word.color == DECIDES]
    first, behind, end = (0.1 + width * place for place in (deciding[0], len(words) - lag, len(words)))
    above = bottom + height + 0.1
    axes.annotate("", (behind, above), (end, above), arrowprops={"arrowstyle": "<->", "color": "#444444"})
    axes.text(
        (behind + end) / 2, above + 0.07, f"lag: {lag} tokens after the deciding clause", ha="center", va="bottom"
    )
    axes.text((first + behind) / 2, above, "decides", ha="center", va="center", color=ink("#0072B2"))
    for place, text, side in (
        (behind, "gradient stops here: no LSTM learns", "left"),
        (first, "or here: all learn", "right"),
    ):
        axes.plot([place, place], [bottom - 0.16, bottom + height + 0.03], color=CUT, lw=1.6)
        shift = 0.06 if side == "left" else -0.06
        axes.text(place + shift, bottom - 0.14, text, ha=side, va="top", color=CUT)


@styled
def steps(evidence: DrawnEvidence, at: str) -> Figure:
    """Share of all runs at a lag that has passed 90 % on validation, by training steps; a line for each encoder."""
    figure, (axes,) = new_figure(height=4.2)
    lines = []
    for arm, condition, of in first_draws(evidence):
        if condition != at:
            continue
        learned, style = evidence.learned_within(arm, at), evidence.study.arms[arm]
        share = [100 * runs / of.succeeds.size for runs in learned.values()]
        lines += axes.plot([0, *learned], [0, *share], color=style.color, label=style.label, **line_of(arm))
    axes.set(xlim=(0, evidence.protocol.steps[-1]), ylim=(0, 100), xlabel=f"training steps, lag about {at}")
    axes.set_ylabel(f"runs above {100 * LEARNS:g} % on validation [%]")
    axes.set_title("Runs that have learned, of all draws and seeds", fontweight="normal")
    label_ends(figure, axes, lines)
    return figure


@styled
def cut(results: pd.DataFrame) -> Figure:
    """Test accuracy of an LSTM by how many steps back its gradient reaches, at two lags; a dot is a seed."""
    scores = values_of(results, "accuracy")
    figure, panels = new_figure(2, height=3.2)
    for axes, lag in zip(panels, (20, 100), strict=True):
        accuracies = {arm: [*of_seed.values()] for (arm, condition), of_seed in scores.items() if condition == str(lag)}
        steps_back = {arm: int(arm.rpartition("_")[2]) for arm in accuracies if "_truncated_" in arm}
        arms = [*sorted(steps_back, key=lambda arm: steps_back[arm]), "lstm_chrono"]
        for place, arm in enumerate(arms):
            values = np.multiply(100, accuracies[arm])
            reaches = steps_back.get(arm, math.inf) > lag
            axes.scatter(place + np.linspace(-0.15, 0.15, len(values)), values, s=28, lw=0, alpha=0.65,
                         color="#0072B2" if reaches else CUT)  # fmt: skip
        border = sum(steps <= lag for steps in steps_back.values()) - 0.5
        axes.axvspan(border, len(arms) - 0.5, color=DECIDES, alpha=0.6, zorder=0)
        axes.text((border + len(arms) - 0.5) / 2, 62, "reaches\nthe clause", ha="center", color=ink("#0072B2"))
        axes.text((border - 0.5) / 2, 78, "stops\nshort of it", ha="center", color=CUT)
        axes.set_xticks(range(len(arms)), [*map(str, sorted(steps_back.values())), "all"])
        axes.axhline(100 * LEARNS, **GUIDE)
        axes.set(xlim=(-0.5, len(arms) - 0.5), ylim=(45, 103), title=f"The clause is {lag} tokens back")
        axes.set_xlabel("steps back that the gradient reaches")
        axes.grid(axis="x", visible=False)
    panels[0].set_ylabel("test accuracy [%],\na dot for each of ten LSTMs")
    return figure


class Kind(NamedTuple):
    """A kind of classifier on IMDb: arms of studies, by encoder."""

    title: str
    study: str
    arms: Mapping[str, str]


KINDS = (
    Kind("last state,\nfrom scratch", "imdb", {"rnn": "rnn", "lstm": "lstm", "gru": "gru"}),
    Kind("pooled, two ways,\nfrom scratch", "imdb",
         {"rnn": "rnn_mean_max_two_way", "lstm": "lstm_mean_max_two_way", "gru": "gru_mean_max_two_way"}),
    Kind("last state, from a\nlanguage model", "best", {"rnn": "rnn_last", "lstm": "lstm_last", "gru": "gru_last"}),
    Kind("pooled, from a\nlanguage model", "best",
         {"rnn": "rnn_pretrained_512", "lstm": "lstm_pretrained_512", "gru": "gru_pretrained_512"}),
)  # fmt: skip


@styled
def text(results: Mapping[str, pd.DataFrame]) -> Figure:
    """Test accuracy on IMDb by kind of classifier, a dot for each run, with lines at published values."""
    figure, (axes,) = new_figure(height=4.0)
    styles = find_study("imdb").arms
    scores = {study: values_of(table, "accuracy") for study, table in results.items()}
    for column, kind in enumerate(KINDS):
        for place, (encoder, arm) in enumerate(kind.arms.items()):
            values = np.multiply(100, [*scores[kind.study][arm, ""].values()])
            x, style = column + 0.22 * (place - 1), styles[encoder]
            axes.scatter(x + np.linspace(-0.05, 0.05, len(values)), values, s=28, color=style.color, alpha=0.65, lw=0,
                         marker=line_of(encoder)["marker"], label=encoder.upper() if column == 0 else None)  # fmt: skip
    bag = 100 * fmean(scores["imdb"]["bag", ""].values())
    for name, value in {"bag of words": bag, **PUBLISHED}.items():
        axes.axhline(value, **GUIDE)
        axes.annotate(f"{name} {value:.1f}", (len(KINDS) - 0.45, value), va="center", fontsize="small", color="#555555",
                      annotation_clip=False)  # fmt: skip
    axes.set_xticks(range(len(KINDS)), [kind.title for kind in KINDS])
    axes.set(xlim=(-0.5, len(KINDS) - 0.5), ylim=(50, 96), ylabel="test accuracy on IMDb [%]")
    axes.legend(loc="lower right", ncols=3)
    axes.grid(axis="x", visible=False)
    return figure


def pictures() -> Iterator[tuple[str, Figure]]:
    """Name and figure of each picture whose results are there."""
    yield "review", review(drawn_review(label=1, lag=DRAWN_LAG, seed=SEED), DRAWN_LAG)
    study = find_study("reach")
    if (study.folder / RESULTS).is_file():
        evidence = DrawnEvidence(study, study.protocol("reach"), read_results(study.folder))
        if drawn := figure(evidence):
            yield "reach", drawn
            yield "steps", steps(evidence, "100")
    yield "cut", cut(read_results(find_study("ablation").folder))
    yield "text", text({name: read_results(find_study(name).folder) for name in ("imdb", "best")})


def write_pictures(root: Path) -> None:
    """Write each picture as `save_picture` does."""
    for name, picture in pictures():
        save_picture(root / FOLDER, name, picture)


def save_picture(folder: Path, name: str, figure: Figure) -> None:
    """Write a picture as SVG, the same whenever it is drawn, and as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    save_figure(figure, folder / f"{name}.png")
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
