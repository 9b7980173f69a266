"""Draws the five main pictures, as SVG and PNG in `docs/images`. Each can be understood without its page.

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
from experiments.lab.reach_findings import GROUPS, DrawnEvidence, figure, first_draws, name_in_pictures, starts_slow
from experiments.lab.results import RESULTS, read_results, values_of
from experiments.lab.rules import LEARNS
from experiments.lab.study import find_study
from experiments.lab.summary import LAGS
from sentiment_rnn.data.sources.generated import CINEMA, FILLERS, FILM, JOINTS, write_review
from sentiment_rnn.report.plotting import GUIDE, WIDTH, ink, line_of, new_figure, save_figure, styled

FOLDER = Path("docs", "images")
DECIDES, DISTRACTS, NEUTRAL = "#CFE3F5", "#FBE3C8", "#FFFFFF"
"""Colours of clauses: about the film, about the cinema, about neither."""
CUT, REACHED = "#B00020", "#0072B2"
"""Colours of a gradient that stops short of the clause, and of one that reaches it."""
SEED, DRAWN_LAG = 42, 22
"""Seed and lag of the drawn review."""
ENDING = FILLERS[3]
"""Words that fill the end of the drawn review, and belong to no clause."""
LINEAR = "NB logistic, words, pairs and triples, as published"
"""Arm of the study `best`."""
PUBLISHED = 94.09
"""Test accuracy on IMDb [%] of one LSTM with virtual adversarial training (Miyato et al. 2017, table 2)."""


class Word(NamedTuple):
    """A token of a drawn review."""

    text: str
    color: str


def drawn_review(label: int, lag: int, seed: int) -> list[Word]:
    """The words of a generated review, coloured by what their clause is about."""
    clauses: list[list[str]] = [[]]
    for token in write_review(label, lag, np.random.default_rng(seed)):
        if token in JOINTS or token == ENDING[0]:
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
    """A review as text, with its lag. Below it are a box for each token, and the places where a gradient was cut."""
    figure = Figure(figsize=(WIDTH, 2.8))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.03, 0.96, 0.94))
    axes.set(xlim=(0, WIDTH), ylim=(-0.3, 2.3))
    axes.axis("off")
    left, line, gap = 0.05, 2.1, 0.06
    for word in words:
        drawn = axes.text(left, line, word.text, fontsize=11, va="center")
        width = drawn.get_window_extent().transformed(axes.transData.inverted()).width
        if left + width > WIDTH - 0.1:
            left, line = 0.05, line - 0.3
            drawn.set_position((left, line))
        axes.add_patch(Rectangle((left - 0.04, line - 0.12), width + 0.08, 0.25, fc=word.color, ec="none", zorder=0))
        left += width + gap
    for number, (color, meaning) in enumerate(
        {DECIDES: "about the film: decides", DISTRACTS: "about the cinema: distracts"}.items()
    ):
        axes.add_patch(Rectangle((0.1 + 2.2 * number, 1.15), 0.16, 0.14, fc=color, ec="#BBBBBB", lw=0.6))
        axes.text(0.32 + 2.2 * number, 1.22, meaning, fontsize=9, va="center")
    axes.text(WIDTH - 0.1, 1.22, "so the review is positive", fontsize=9, va="center", ha="right")
    boxes(axes, words, lag)
    return figure


def boxes(axes: Axes, words: Sequence[Word], lag: int) -> None:
    """A strip with a box for each token; above it the lag, below it how far back the gradient has to reach."""
    width, height, bottom = (WIDTH - 0.2) / len(words), 0.2, 0.55
    for number, word in enumerate(words):
        axes.add_patch(Rectangle((0.1 + number * width, bottom), width, height, fc=word.color, ec="#BBBBBB", lw=0.6))
    deciding = [number for number, word in enumerate(words) if word.color == DECIDES]
    first, behind, end = (0.1 + width * place for place in (deciding[0], len(words) - lag, len(words)))
    above, below = bottom + height + 0.1, bottom - 0.15
    lag_arrow = {"arrowstyle": "<->", "color": "#444444", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (behind, above), (end, above), arrowprops=lag_arrow)
    axes.text((behind + end) / 2, above + 0.05, f"the lag: {lag} tokens after the clause", ha="center", va="bottom")
    axes.annotate("", (first, below), (end, below), arrowprops={"arrowstyle": "->", "color": "#444444", "shrinkB": 0})
    axes.text(end, below - 0.06, "training sends the gradient back from the end", ha="right", va="top", fontsize=9)
    for place, text, color, side, low in (
        (behind, "cut here: no LSTM with slow gates learns (lag 100)", CUT, "left", below - 0.32),
        (first, "cut here: all of them do", REACHED, "left", below - 0.54),
    ):
        axes.plot([place, place], [low - 0.08, bottom + height + 0.03], color=color, lw=1.6)
        axes.text(place + 0.06, low, text, ha=side, va="center", color=ink(color), fontsize=9)


@styled
def steps(evidence: DrawnEvidence, at: str) -> Figure:
    """Share of all runs at a lag that have passed 90 % on validation, by training steps. There is a line for each
    encoder; encoders whose gates start slow have a panel of their own."""
    drawn = {arm: runs for arm, condition, runs in first_draws(evidence) if condition == at}
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    panels = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    for axes, slow, title in zip(panels, (False, True), GROUPS, strict=True):
        lines = []
        for arm, runs in drawn.items():
            if starts_slow(arm) != slow:
                continue
            learned, style = evidence.learned_within(arm, at), evidence.study.arms[arm]
            share = [100 * count / runs.succeeds.size for count in learned.values()]
            named = name_in_pictures(evidence, arm)
            drawn_as = {"color": style.color, "label": named, "clip_on": False, **line_of(arm)}
            lines += axes.plot([0, *learned], [0, *share], **drawn_as)
        axes.set(xlim=(0, evidence.protocol.steps[-1]), ylim=(-1, 75), title=title)
        label_ends(figure, axes, lines)
    panels[1].set_xlabel("training steps")
    figure.supylabel("runs that have learned [%]", fontsize="medium")
    settings, seeds = next(iter(drawn.values())).succeeds.shape
    figure.suptitle(
        f"Lag about {at}: runs that have been right in over {100 * LEARNS:g} % of validation reviews, of "
        f"{settings * seeds} for each encoder\n({seeds} networks for each of {settings} settings of learning rate and "
        "clipping)",
        x=0.01, ha="left", fontsize=9,
    )  # fmt: skip
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
            axes.scatter(place + np.linspace(-0.3, 0.3, len(values)), values, s=18, lw=0, alpha=0.65,
                         color=REACHED if reaches else CUT, clip_on=False)  # fmt: skip
        border = sum(steps <= lag for steps in steps_back.values()) - 0.5
        axes.axvspan(border, len(arms) - 0.5, color=DECIDES, alpha=0.6, zorder=0)
        axes.text((border + len(arms) - 0.5) / 2, 67, "reaches\nthe clause", ha="center", color=ink(REACHED))
        axes.text((border - 0.5) / 2, 77, "stops\nshort of it", ha="center", color=CUT)
        axes.set_xticks(range(len(arms)), [*map(str, sorted(steps_back.values())), "no cut"])
        for level in (100 * LEARNS, 50):
            axes.axhline(level, **GUIDE)
        axes.set(xlim=(-0.6, len(arms) - 0.5), ylim=(45, 100), title=f"{lag} tokens follow the clause")
        axes.set_xlabel("tokens to which the gradient goes back")
        axes.grid(visible=False)
    panels[0].set_ylabel("test accuracy [%]")
    for level, meaning in ((100 * LEARNS, "learned"), (50, "guessing")):
        panels[1].annotate(meaning, (1.02, level), xycoords=("axes fraction", "data"), va="center", fontsize="small",
                           color="#555555", annotation_clip=False)  # fmt: skip
    figure.suptitle("LSTMs with slow gates (chrono 400) whose gradient is cut; a dot is one of ten networks", x=0.01,
                    ha="left", fontsize=9)  # fmt: skip
    return figure


class Kind(NamedTuple):
    """A kind of classifier on IMDb: arms of studies, by encoder."""

    title: str
    study: str
    arms: Mapping[str, str]


KINDS = (
    Kind("last state,\nfrom scratch", "imdb", {"rnn": "rnn", "lstm": "lstm", "gru": "gru"}),
    Kind("mean and max,\ntwo directions,\nfrom scratch", "imdb",
         {"rnn": "rnn_mean_max_two_way", "lstm": "lstm_mean_max_two_way", "gru": "gru_mean_max_two_way"}),
    Kind("last state,\nfrom a\nlanguage model", "best", {"rnn": "rnn_last", "lstm": "lstm_last", "gru": "gru_last"}),
    Kind("last, mean and max,\nfrom a\nlanguage model", "best",
         {"rnn": "rnn_pretrained_512", "lstm": "lstm_pretrained_512", "gru": "gru_pretrained_512"}),
)  # fmt: skip


BREAK = 81
"""Accuracy [%] at which the axis of accuracies on IMDb is broken."""


@styled
def text(results: Mapping[str, pd.DataFrame]) -> Figure:
    """Test accuracy on IMDb by kind of classifier, with a dot for each run, and lines to compare with. The axis is
    broken; only some RNNs are below the break."""
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    styles = find_study("imdb").arms
    scores = {study: values_of(table, "accuracy") for study, table in results.items()}
    for column, kind in enumerate(KINDS):
        for place, (encoder, arm) in enumerate(kind.arms.items()):
            values = np.multiply(100, [*scores[kind.study][arm, ""].values()])
            x, style = column + 0.28 * (place - 1), styles[encoder]
            beside = x + np.linspace(-0.1, 0.1, len(values))
            for axes, shown in zip(panels, (values > BREAK, values <= BREAK), strict=True):
                axes.scatter(beside[shown], values[shown], s=26, color=style.color, alpha=0.75, lw=0, clip_on=False,
                             marker=line_of(encoder)["marker"],
                             label=encoder.upper() if column == 0 else None)  # fmt: skip
    bag, linear = (100 * fmean(of.values()) for of in (scores["imdb"]["bag", ""], scores["best"][LINEAR, ""]))
    for name, value in {
        "bag of words": bag,
        "linear, words\nto triples": linear,
        "LSTM,\npublished": PUBLISHED,
    }.items():
        panels[0].axhline(value, **GUIDE)
        panels[0].annotate(f"{name} {value:.1f}", (len(KINDS) - 0.45, value), va="center", fontsize="small",
                           color="#555555", annotation_clip=False)  # fmt: skip
    panels[1].set_xticks(range(len(KINDS)), [kind.title for kind in KINDS])
    panels[1].set(xlim=(-0.5, len(KINDS) - 0.5), ylim=(50, BREAK))
    panels[0].set(ylim=(BREAK, 95), title="Accuracy on IMDb's test reviews [%]; a mark is one training run")
    panels[0].tick_params(bottom=False)
    panels[0].spines["bottom"].set_visible(False)
    for axes, edge in zip(panels, (0, 1), strict=True):
        axes.grid(axis="x", visible=False)
        slash = {"marker": [(-1, -0.6), (1, 0.6)], "markersize": 10, "color": "#666666", "clip_on": False}
        axes.plot([0], [edge], transform=axes.transAxes, linestyle="none", **slash)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def pictures() -> Iterator[tuple[str, Figure]]:
    """Name and figure of each picture whose results exist."""
    yield "review", review(drawn_review(label=1, lag=DRAWN_LAG, seed=SEED), DRAWN_LAG)
    study = find_study("reach")
    if (study.folder / RESULTS).is_file():
        evidence = DrawnEvidence(study, study.protocol("reach"), read_results(study.folder))
        if drawn := figure(evidence, lags=LAGS):
            yield "reach", drawn
            yield "steps", steps(evidence, "100")
    yield "cut", cut(read_results(find_study("ablation").folder))
    yield "text", text({name: read_results(find_study(name).folder) for name in ("imdb", "best")})


def write_pictures(root: Path) -> None:
    """Write each picture with `save_picture`."""
    for name, picture in pictures():
        save_picture(root / FOLDER, name, picture)


def save_picture(folder: Path, name: str, figure: Figure) -> None:
    """Write a picture as SVG, which is the same each time it is drawn, and as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    save_figure(figure, folder / f"{name}.png")
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
