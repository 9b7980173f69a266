"""What is generated in the documents is what the committed results say."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from sentiment_rnn.cli.readme import comparisons, generated_blocks, generated_files, main, studies
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import accuracy_difference
from sentiment_rnn.report.tables import find_block
from sentiment_rnn.studies import filler, real_text
from sentiment_rnn.studies.kit.arm_accuracies import read_accuracies
from sentiment_rnn.studies.kit.counted_seeds import MIXED, ONE_DISTANCE
from sentiment_rnn.studies.kit.learnt_shares import seeds_above
from sentiment_rnn.studies.kit.random_search import best_draw, read_search
from sentiment_rnn.studies.kit.scores import Scores, read_scores

REPOSITORY = Path(__file__).resolve().parents[1]
BY_SCRIPTS = tuple(REPOSITORY / "experiments" / name / "README.md" for name in ("throughput", "word_pairs"))
"""Their blocks are written by the scripts beside them: `make bench`, `make word-pairs`."""


def name(path: Path) -> str:
    """A path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def test_tables_and_verdicts_are_up_to_date() -> None:
    files = dict(generated_files(REPOSITORY))
    assert {path.parent for path in files} == {*comparisons(REPOSITORY), *studies(REPOSITORY)}
    assert [name(path) for path, text in files.items() if path.read_text() != text] == [], "run make readme"


def test_blocks_are_up_to_date() -> None:
    stale = []
    for block in generated_blocks(REPOSITORY):
        before, after = find_block(block.document, block.name)
        if block.document.read_text() != f"{before}\n{block.text}{after}":
            stale.append(f"{name(block.document)}, {block.name}")
    assert not stale, "run make readme"


def test_the_numbers_of_the_opening_are_those_of_the_studies() -> None:
    opening = (REPOSITORY / "README.md").read_text().split("## Quick start")[0]
    unseen = read_scores(REPOSITORY / "experiments" / "unseen", MIXED)
    learn, of = seeds_above(unseen["rnn"][400])
    bounds = counted(learn, of).split(" ", 1)[1]
    assert f"{learn} of {of} seeds {bounds} of the orthogonal RNN still know the clause at 400." in opening
    assert "So do all {} of the LSTM with forget bias 1:".format(*seeds_above(unseen["lstm"][400])) in opening
    assert len(set(seeds_above(unseen["lstm"][400]))) == 1
    longer = scores_of("budget")["rnn_uniform"][50]
    assert (
        "all {} seeds of an RNN with PyTorch's own initialization learn 50 tokens".format(*seeds_above(longer))
        in opening
    )
    assert len(set(seeds_above(longer))) == 1
    at_400 = read_search(REPOSITORY / "experiments" / "long_range", "search_400.csv")
    assert "At 400 none of sixteen draws brought either RNN, or the LSTM with forget bias 1, above chance." in opening
    for arm in ("rnn", "rnn_relu", "lstm"):
        assert len(at_400[arm]) == 16
        assert best_draw(at_400[arm]).score < 53


def test_the_numbers_of_what_it_found_are_those_of_the_studies() -> None:
    found = (REPOSITORY / "README.md").read_text().split("## What it found")[1].split("<!-- answer:start -->")[0]
    at_100 = {arm: seeds_above(scores[100]) for arm, scores in scores_of("mid_range").items()}
    assert len(read_search(REPOSITORY / "experiments" / "mid_range", "search_100.csv")["rnn"]) == 16
    assert (
        "with the best of sixteen draws of learning rate and clipping, in 1,800 steps: {} of {} seeds do.".format(
            *at_100["rnn"]
        )
        in found
    )
    assert f"usual initialization {at_100['lstm'][0]} do, and with chrono initialization all." in found
    assert at_100["lstm_chrono"] == (20, 20)
    assert {of for _, of in at_100.values()} == {20}
    learn = {arm: seeds_above(scores[400]) for arm, scores in scores_of("long_range").items()}
    assert "chrono initialization for 400 steps learns with {} of {} seeds,".format(*learn["lstm_chrono"]) in found
    assert f"for 2,000 steps with {learn['lstm_chrono_2000'][0]}. A GRU does with {learn['gru'][0]}." in found
    assert [learn[arm][0] for arm in ("rnn", "rnn_relu", "lstm")] == [0, 0, 0]
    assert "The two vanilla RNNs, and the LSTM with forget bias 1, do with none." in found
    first, again = (
        accuracy_difference(list(accuracies_of("real_text", "lstm")), list(accuracies_of(study, "rnn")))
        for study in ("real_text", "steady_rate")
    )
    assert (
        "The gap is {:.0f} points with one learning rate of the RNN, and {:.0f} ({:.0f} to {:.0f}) with".format(
            *(100 * number for number in (first.estimate, *again))
        )
        in found
    )
    left = filler.left_at_last(REPOSITORY / "experiments" / "filler")
    words = {4: "four", 9: "nine"}
    forgotten = sum(share < 0.05 for share in left["rnn"])
    assert f"the states of {words[forgotten]} of {words[len(left['rnn'])]} RNNs" in found
    assert f"Those of LSTMs keep {100 * fmean(left['lstm']):.0f} %." in found


def scores_of(study: str) -> Scores:
    """Scores of a study whose runs have one distance each."""
    return read_scores(REPOSITORY / "experiments" / study, ONE_DISTANCE)


def accuracies_of(study: str, arm: str) -> Iterable[float]:
    """Test accuracies of an arm on IMDb."""
    return read_accuracies(REPOSITORY / "experiments" / study, real_text.SEEDS)[arm].values()


def test_every_block_is_generated() -> None:
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("experiments/**/*.md")]
    there = {
        (path, block)
        for path in documents
        if path not in BY_SCRIPTS
        for block in re.findall(r"^<!-- (\w+):start -->$", path.read_text(), re.MULTILINE)
    }
    assert {(block.document, block.name) for block in generated_blocks(REPOSITORY)} == there


def test_the_command_writes_what_is_stale_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    shutil.copy(REPOSITORY / "README.md", tmp_path)
    for folder in [*comparisons(REPOSITORY), *studies(REPOSITORY)]:
        shutil.copytree(folder, tmp_path / name(folder), ignore=shutil.ignore_patterns("*.png", "verdicts.json"))
    results = tmp_path / "experiments" / "filler" / "results.csv"
    forgets = re.compile(r"^(lstm,\d+,neutral,behind,400),.*$", re.MULTILINE)
    results.write_text(forgets.sub(r"\1,0.5,0.5", results.read_text()))
    main(tmp_path)
    found = (tmp_path / "docs" / "findings.md").read_text().splitlines()
    (line,) = [line for line in found if line.startswith("| An LSTM forgets a review over 400 neutral tokens")]
    assert "**holds**" in line
    changed = {
        name(path)
        for path in REPOSITORY.glob("experiments/*/*.md")
        if (tmp_path / name(path)).exists() and (tmp_path / name(path)).read_text() != path.read_text()
    }
    assert changed == {"experiments/filler/README.md", "experiments/filler/table.md"}
