"""The numbers in handwritten sentences of README and docs/teaching.md are what the committed results say."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, geometric_mean

from sentiment_rnn.report.shares import counted
from sentiment_rnn.studies import filler, real_text
from sentiment_rnn.studies.filler.measurements import MOST, STATE, read_measured, what_is_kept
from sentiment_rnn.studies.filler.reading import BEHIND, SENTENCES, Setting
from sentiment_rnn.studies.kit.arm_accuracies import read_accuracies
from sentiment_rnn.studies.kit.counted_seeds import MIXED, ONE_DISTANCE
from sentiment_rnn.studies.kit.learnt_shares import seeds_above
from sentiment_rnn.studies.kit.margin_comparisons import beyond
from sentiment_rnn.studies.kit.measurements import read_rows
from sentiment_rnn.studies.kit.random_search import read_search
from sentiment_rnn.studies.kit.scores import Scores, read_scores

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_numbers_of_the_opening_are_those_of_the_studies() -> None:
    opening = (REPOSITORY / "README.md").read_text().split("## Quick start")[0]
    shown = ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono", "lstm_chrono_2000")
    drawn = {study: draws_at(study, "search_100.csv") for study in ("learnability", "mid_range")}
    assert [(drawn["learnability"] | drawn["mid_range"])[arm] for arm in shown] == [16, 8, 8, 16, 16, 8]
    assert "forget bias 1 or chrono (for 400 steps), had sixteen draws. The others had eight." in opening


def test_the_numbers_of_what_it_found_are_those_of_the_studies() -> None:
    found = (REPOSITORY / "README.md").read_text().split("## What it found")[1].split("<!-- answer:start -->")[0]
    for statement in (*of_the_rnn(), *of_the_cause(), *of_the_cell(), *of_400_tokens(), *of_film_reviews()):
        assert statement in found


def before_training(encoder: str) -> list[dict[str, str]]:
    """What gradient_flow measured of an encoder on generated reviews before training: a row for each seed."""
    return [
        row for row in read_rows(REPOSITORY / "experiments" / "gradient_flow", "rates.csv")
        if (row["corpus"], row["encoder"], row["trained"]) == ("generated", encoder, "0")
    ]  # fmt: skip


def rate_of(encoder: str) -> float:
    """What its gradient is multiplied by at each step back before training, the mean over seeds."""
    return fmean(float(row["rate"]) for row in before_training(encoder))


def carried_to_400() -> tuple[int, int]:
    """How many orthogonal RNNs that trained on mixed distances know the clause at 400 tokens, and of how many."""
    return seeds_above(read_scores(REPOSITORY / "experiments" / "unseen", MIXED)["rnn"][400])


def left_of_a_review() -> dict[str, list[float]]:
    """The share of what its state knew that each seed keeps after 400 neutral tokens, by encoder."""
    measured = read_measured(REPOSITORY / "experiments" / "filler", filler.SEEDS)
    last = Setting(SENTENCES, BEHIND, MOST)
    return {arm: list(what_is_kept(measured, arm, STATE)[last].values()) for arm in filler.ARMS}


def forgotten_by(encoder: str) -> tuple[int, int]:
    """How many seeds keep less than a twentieth of a review after 400 neutral tokens, of how many; all lose a fifth."""
    left = left_of_a_review()[encoder]
    assert max(left) < 0.8
    return sum(share < 0.05 for share in left), len(left)


def of_the_rnn() -> list[str]:
    """What README says that a vanilla RNN learns."""
    near, half, far = (
        seeds_above(scores_of(study)["rnn"][at])
        for study, at in (("learnability", 20), ("own_rate", 50), ("mid_range", 100))
    )
    lasts = carried_to_400()
    draws = draws_at("mid_range", "search_100.csv")["rnn"]
    assert (near[0], half[1], far, draws) == (near[1], 20, (0, 20), 16)
    uniform = [
        seeds_above(scores_of(study)["rnn_uniform"][at])
        for study, at in (("learnability", 20), ("own_rate", 50), ("budget", 50))
    ]
    assert (uniform[1], uniform[2][0]) == ((0, 20), uniform[2][1])
    bounds = counted(*lasts).split(" ", 1)[1]
    return [
        f"learns 20 tokens with all {near[1]} seeds, and 50 with {half[0]}. It learns 100 with none of {far[1]},",
        "with the best of sixteen draws of learning rate and clipping.",
        f"own initialization learns 20 tokens with {uniform[0][0]} of {uniform[0][1]} seeds, and 50 with none.",
        f"and a rate searched anew, it learns 50 with all {uniform[2][1]} seeds:",
        f"mixed, {lasts[0]} of {lasts[1]} seeds {bounds} still know the clause at 400 (",
    ]


def of_the_cause() -> list[str]:
    """What README says of the gradient."""
    over_50 = geometric_mean(float(row["left"]) for row in before_training("rnn"))
    causes = scores_of("causes")
    scaled, plain = (seeds_above(scores_of("own_rate")[arm][50]) for arm in ("rnn_gain", "rnn"))
    cut = {arm: seeds_above(causes[arm][100]) for arm in ("lstm_truncated_100", "lstm_truncated_110")}
    assert cut == {"lstm_truncated_100": (0, 10), "lstm_truncated_110": (10, 10)}
    return [
        f"Before training the orthogonal RNN keeps {100 * rate_of('rnn'):.0f} % of it at each step, "
        f"and {100 * over_50:.0f} % over 50.",
        "just short of the clause, and none of ten seeds learns. Let it just reach the clause, and all ten do:",
        f"{scaled[0]} of {scaled[1]} orthogonal RNNs learn 50 tokens. Unscaled, {plain[0]} do,",
    ]


def of_the_cell() -> list[str]:
    """What README says of an LSTM's cell, its gates and other encoders."""
    causes, mid_range, learnability = (scores_of(study) for study in ("causes", "mid_range", "learnability"))
    near, far = ({arm: seeds_above(scores[at]) for arm, scores in causes.items() if at in scores} for at in (20, 100))
    for at in (near, far):
        assert (at["lstm_detach_cell"], at["lstm_no_input"], at["lstm_no_output"]) == ((0, 10), (0, 10), (10, 10))
    usual, chrono = (seeds_above(mid_range[arm][100]) for arm in ("lstm", "lstm_chrono"))
    gru, relu = (seeds_above(learnability[arm][100]) for arm in ("gru", "rnn_relu"))
    assert (chrono[0], relu[0]) == (chrono[1], relu[1])
    state = [at["lstm_detach_hidden"] for at in (near, far)]
    assert far["lstm_no_forget"][0] == far["lstm_no_forget"][1]
    return [
        "{} of {} learn 20, and {} of {} learn 100.".format(*state[0], *state[1]),
        "Without the forget gate {} of {} learn 20, and all learn 100.".format(*near["lstm_no_forget"]),
        f"{usual[0]} of {usual[1]} learn 100 tokens, and with chrono all.",
        f"a GRU learns 100 with {gru[0]} of {gru[1]} seeds,",
    ]


def of_400_tokens() -> list[str]:
    """What README says of 400 tokens."""
    learn = {arm: seeds_above(scores[400]) for arm, scores in scores_of("long_range").items()}
    assert [learn[arm][0] for arm in ("rnn", "rnn_relu", "lstm")] == [0, 0, 0]
    return [
        "with chrono for 400 steps learns with {} of {} seeds,".format(*learn["lstm_chrono"]),
        f"for 2,000 steps with {learn['lstm_chrono_2000'][0]}. A GRU does with {learn['gru'][0]}.",
        "The orthogonal and the ReLU RNN, and the LSTM with forget bias 1, do with none.",
    ]


def of_film_reviews() -> list[str]:
    """What README says of IMDb."""
    lstm, bag = (list(accuracies_of("real_text", arm)) for arm in ("lstm", "bag"))
    first, again = (list(accuracies_of(study, "rnn")) for study in ("real_text", "steady_rate"))
    for rnn in (first, again):
        assert leading(lstm, rnn) == 10
    assert leading(lstm, bag) == 0
    two_way = leading(accuracies_of("variants", "lstm_mean_max_two_way"), bag)
    pooled = fmean(accuracies_of("variants", "lstm_mean_max")) - fmean(accuracies_of("variants", "rnn_mean_max"))
    left = left_of_a_review()
    words = {4: "four", 9: "nine"}
    forgotten, of = forgotten_by("rnn")
    return [
        f"Its seeds are right in {100 * min(lstm):.0f} to {100 * max(lstm):.0f} % of reviews.",
        f"Those of the RNN end between {100 * min(first):.0f} and {100 * max(first):.0f} %, and with another draw of "
        f"rate and clipping between {100 * min(again):.0f} and {100 * max(again):.0f} %.",
        f"an LSTM does in {two_way} of 10 seeds;",
        f"all {words[of]} RNNs of the first draw have lost over a fifth of what they knew. "
        f"{words[forgotten].capitalize()} have lost all of it.",
        f"LSTMs keep {100 * fmean(left['lstm']):.0f} % of what they knew.",
        f"the RNN is {100 * pooled:.0f} points behind the LSTM:",
    ]


def test_the_numbers_that_a_class_should_take_home_are_those_of_the_studies() -> None:
    page = (REPOSITORY / "docs" / "teaching.md").read_text()
    home = " ".join(page.split("## What a class should take home")[1].split("## 45 minutes")[0].split())
    learn = {study: scores_of(study) for study in ("learnability", "own_rate", "mid_range", "causes")}
    counts = {
        (study, arm, at): seeds_above(learn[study][arm][at])
        for study, arm, at in (
            ("learnability", "rnn", 20), ("own_rate", "rnn", 50), ("mid_range", "rnn", 100),
            ("learnability", "rnn_uniform", 5), ("learnability", "rnn_uniform", 20), ("learnability", "rnn_relu", 100),
        )
    }  # fmt: skip
    assert [found[0] for found in counts.values()] == [20, 15, 0, 20, 2, 20]
    assert "learns 20 tokens with all 20 seeds, 50 with 15, and 100 with none." in home
    assert "all learn 5 tokens, and 2 of 20 learn 20" in home
    for said in (
        f"by {rate_of('rnn_uniform'):.2f} with PyTorch's",
        f"by {rate_of('rnn'):.2f} with an orthogonal one",
        "{} of {} learn 100.".format(*seeds_above(learn["causes"]["lstm_detach_hidden"][100])),
        "{} of {} orthogonal RNNs still know".format(*carried_to_400()),
    ):
        assert said in home
    assert forgotten_by("rnn") == (4, 9)
    assert "all nine RNNs lose over a fifth of what they knew of a review, in 400 neutral tokens. Four lose all" in home


def test_the_numbers_of_the_limits_are_those_of_the_studies() -> None:
    limits = (REPOSITORY / "README.md").read_text().split("## Limits")[1]
    (rounded, of), (exact, of_exact) = (seeds_above(scores_of(study)["rnn"][50]) for study in ("bfloat16", "own_rate"))
    assert of == of_exact
    assert f"{rounded} of {of} orthogonal RNNs learn 50 tokens, and {exact} in float32" in limits


def draws_at(study: str, file: str) -> dict[str, int]:
    """How many draws each arm of a search had."""
    return {arm: len(draws) for arm, draws in read_search(REPOSITORY / "experiments" / study, file).items()}


def scores_of(study: str) -> Scores:
    """Scores of a study whose runs have one distance each."""
    return read_scores(REPOSITORY / "experiments" / study, ONE_DISTANCE)


def leading(first: Iterable[float], second: Iterable[float]) -> int:
    """In how many seeds the first is better by more than a point; both in the order of their seeds."""
    return beyond([one - other for one, other in zip(first, second, strict=True)], real_text.MARGIN)


def accuracies_of(study: str, arm: str) -> Iterable[float]:
    """Test accuracies of an arm on IMDb."""
    return read_accuracies(REPOSITORY / "experiments" / study, real_text.SEEDS)[arm].values()
