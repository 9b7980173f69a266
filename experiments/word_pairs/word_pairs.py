"""What order is worth to a linear classifier: words, pairs and triples of IMDb, and pairs of shuffled reviews.

    python experiments/word_pairs/word_pairs.py [--folder FOLDER] [override …]
    python experiments/word_pairs/word_pairs.py --report          # the tables anew from the committed files alone

The rules are in protocol.md. IMDB_ARCHIVE names the archive; an override can name other reviews. It writes accuracies,
which reviews were classified correctly, the verdicts, and the tables in README.md. It takes a quarter of an hour. A
quick try:

    python experiments/word_pairs/word_pairs.py --folder FOLDER data=generated data.train_reviews=2000 \
        data.test_reviews=1000 data.max_distance=5
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from films import clustered
from nbsvm import Grams, LinearClassifier
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.review import Review
from sentiment_rnn.data.tokenizer import splitter
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.statistics import percent, points
from sentiment_rnn.report.tables import Table, csv_text, find_block, new_console, replace_block
from sentiment_rnn.studies.kit.correctness import CORRECT, Correct, correct_file, read_correct
from sentiment_rnn.studies.kit.findings import VERDICTS, Findings
from sentiment_rnn.studies.kit.measurements import RESULTS, read_rows
from sentiment_rnn.studies.kit.protocol import PROTOCOL, PROVENANCE, digest_of
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged

HERE = Path(__file__).resolve().parent
COSTS = (0.01, 0.1, 1.0, 10.0)
WORTH = 0.01
"""Difference in accuracy from which a classifier counts as better."""
SPLITS = ("train", "validation", "test")
FILMS = "films.npy"


class Classifier(NamedTuple):
    """One row of the table."""

    name: str
    longest: int
    """Tokens of the longest n-gram."""
    ratios: bool = True
    shuffled: bool = False


CLASSIFIERS = (
    Classifier("NBSVM, words", 1),
    Classifier("NBSVM, words and pairs", 2),
    Classifier("NBSVM, words, pairs and triples", 3),
    Classifier("NBSVM, words and pairs, shuffled", 2, shuffled=True),
    Classifier("SVM, words", 1, ratios=False),
    Classifier("SVM, words and pairs", 2, ratios=False),
)
CLAIMS = (
    ("Pairs of words say more than words.", "NBSVM, words and pairs", "NBSVM, words"),
    ("What they add is order.", "NBSVM, words and pairs", "NBSVM, words and pairs, shuffled"),
    ("Triples add more.", "NBSVM, words, pairs and triples", "NBSVM, words and pairs"),
    ("It does not take the ratios.", "SVM, words and pairs", "SVM, words"),
)


def main() -> None:
    """Measure, unless only the report is asked for; then write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write (default: beside this script)")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("overrides", nargs="*", metavar="override", help="override of the reviews: data=generated")
    arguments = parser.parse_args()
    page = arguments.folder / "README.md"
    find_block(page, "word_pairs")  # before anything is trained
    if not arguments.report:
        measure(arguments.folder, arguments.overrides)
    findings = findings_of(arguments.folder)
    findings.show(new_console())
    write_folder(arguments.folder, {VERDICTS: findings.texts()[VERDICTS]}, figures={})
    replace_block(page, "word_pairs", findings.document())


def measure(folder: Path, overrides: Sequence[str]) -> None:
    """Train and test every classifier, and write the files."""
    config: ReviewConfig = run_config("data=imdb", *overrides)
    splits = source_of(config.data).read()
    split = splitter(config.data.tokenizer)
    tokens = {name: [split(review.text) for review in tqdm(splits[name], f"tokens, {name}")] for name in SPLITS}
    labels = {name: np.array([review.label for review in splits[name]]) for name in SPLITS}
    rows, correct = [], []
    for classifier in tqdm(CLASSIFIERS, "classifiers"):
        cost, validation, predicted = train_and_test(classifier, tokens, labels)
        right = predicted == labels["test"]
        correct.append(Correct((classifier.name,), right, reviews_digest(splits["test"])))
        rows.append((classifier.name, cost, validation, float(right.mean())))
    _, films = np.unique([review.group for review in splits["test"]], return_inverse=True)
    np.save(folder / FILMS, films.astype("<u2"))
    files: dict[str, str | bytes] = {
        RESULTS: csv_text(("classifier", "C", "val/accuracy", "test/accuracy"), rows),
        CORRECT: correct_file(correct, ("classifier",)),
        PROVENANCE: json.dumps({"protocol": digest_of(HERE / PROTOCOL)}, indent=1) + "\n",
    }
    write_folder(folder, files, figures={})


def train_and_test(
    classifier: Classifier, tokens: dict[str, list[list[str]]], labels: dict[str, np.ndarray]
) -> tuple[float, float, np.ndarray]:
    """The chosen C, its validation accuracy, and int [N], what it says of the test reviews."""
    if classifier.shuffled:
        draw = np.random.default_rng(0)
        tokens = {name: [list(draw.permutation(review)) for review in reviews] for name, reviews in tokens.items()}
    features = Grams(tokens["train"], classifier.longest)
    validation = features.of(tokens["validation"])
    found = []
    for cost in COSTS:
        with suppress(ConvergenceWarning):  # then it is none to choose from
            model = LinearClassifier(features.train, labels["train"], cost, classifier.ratios)
            accuracy = float((model.predict(validation) == labels["validation"]).mean())
            found.append((accuracy, -cost, model))
    if not found:
        raise UserError(f"{classifier.name}: the SVM converges with none of C = {COSTS}; give it other reviews")
    accuracy, cost, model = max(found, key=lambda one: one[:2])
    return -cost, accuracy, model.predict(features.of(tokens["test"]))


def reviews_digest(reviews: Sequence[Review]) -> str:
    """SHA-256 digest of the names and labels of reviews, in their order."""
    return hashlib.sha256(repr([(review.name, review.label) for review in reviews]).encode()).hexdigest()


def findings_of(folder: Path) -> Findings:
    """Accuracies and verdicts, from the files."""
    _, runs = read_correct(folder)
    right = {run.key[0]: run.correct.astype(float) for run in runs}
    films = np.load(folder / FILMS)
    chosen = {row["classifier"]: row for row in read_rows(folder)}
    accuracies = [
        (name, chosen[name]["C"], f"{100 * float(chosen[name]['val/accuracy']):.1f} %", percent(clustered(all_, films)))
        for name, all_ in right.items()
    ]
    table = Table("Accuracy, with 95 % intervals over films", ("classifier", "C", "validation", "test"), accuracies)
    return Findings([table], list(verdicts(right, films)))


def verdicts(right: dict[str, np.ndarray], films: np.ndarray) -> Iterator[Verdict]:
    """By the rule of the protocol."""
    for claim, first, second in CLAIMS:
        difference = clustered(right[first] - right[second], films, comparisons=len(CLAIMS))
        evidence = f"{first}, against {second}: {points(difference)} points."
        yield Verdict(claim, judged(above(difference, WORTH)), evidence)


if __name__ == "__main__":
    run(main)
