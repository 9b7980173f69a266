"""The numbers in handwritten sentences of README and docs/teaching.md are what the committed results say."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from statistics import fmean, geometric_mean

from scipy.special import ndtri

from experiments.lab.rules import Evidence, beyond, evidence_of
from experiments.lab.search import draws_of
from experiments.lab.study import Study, all_studies
from experiments.lab.table import read_results, values_of
from sentiment_rnn.report.statistics import counted

REPOSITORY = Path(__file__).resolve().parents[1]
MARGIN = 0.01
"""A point of accuracy, as the protocols of IMDb have it."""
KNOWS = 0.7
"""Area above which a state knows a review, by the protocol of filler."""


def test_the_numbers_of_the_opening_are_those_of_the_studies() -> None:
    opening = (REPOSITORY / "README.md").read_text().split("## Quick start")[0]
    shown = ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono", "lstm_chrono_2000")
    drawn = draws_at("learnability", "learn_search_100") | draws_at("mid_range", "mid_range_search")
    assert [drawn[arm] for arm in shown] == [16, 8, 8, 16, 16, 8]
    assert "forget bias 1 or chrono (for 400 steps), had sixteen draws. The others had eight." in opening


def test_the_numbers_of_what_it_found_are_those_of_the_studies() -> None:
    found = (REPOSITORY / "README.md").read_text().split("## What it found")[1].split("<!-- answer:start -->")[0]
    for statement in (*of_the_rnn(), *of_the_cause(), *of_the_cell(), *of_400_tokens(), *of_film_reviews()):
        assert statement in found


@cache
def evidence(protocol: str) -> Evidence:
    """What the committed results say to a protocol, by its name."""
    study = study_of(protocol)
    return evidence_of(study, study.protocols[protocol], read_results(study.folder))


@cache
def study_of(protocol: str) -> Study:
    """The study that has a protocol."""
    return next(study for study in all_studies() if protocol in study.protocols)


def learn(protocol: str, arm: str, lag: int) -> tuple[int, int]:
    """How many seeds of an arm learn at a lag, and of how many."""
    return evidence(protocol).learn(arm, str(lag))


def before_training(metric: str, encoder: str) -> list[float]:
    """What gradient_flow measured of an encoder on generated reviews before training: a value for each seed."""
    values = values_of(evidence("gradient_flow").table, metric, "train")
    return list(values[encoder, "generated, before training"].values())


def rate_of(encoder: str) -> float:
    """What its gradient is multiplied by at each step back before training, the mean over seeds."""
    return fmean(before_training("rate", encoder))


def carried_to_400() -> tuple[int, int]:
    """How many orthogonal RNNs that trained on mixed lags know the clause at 400 tokens, and of how many."""
    every = evidence("unseen").every["rnn", "400"].values()
    return sum(score > 0.9 for score in every), len(every)


def left_of_a_review() -> dict[str, list[float]]:
    """The share of what its state knew that each seed keeps after 400 neutral tokens, by encoder: z of the area with
    the tokens, by z of that without."""
    areas = values_of(evidence("filler").table, "state")
    found = {}
    for arm in ("rnn", "gru", "lstm"):
        before, behind = areas[arm, "none"], areas[arm, "400 neutral behind"]
        found[arm] = [float(ndtri(behind[s]) / ndtri(before[s])) for s in before if before[s] > KNOWS]
    return found


def forgotten_by(encoder: str) -> tuple[int, int]:
    """How many seeds keep less than a twentieth of a review after 400 neutral tokens, of how many; all lose a fifth."""
    left = left_of_a_review()[encoder]
    assert max(left) < 0.8
    return sum(share < 0.05 for share in left), len(left)


def of_the_rnn() -> list[str]:
    """What README says that a vanilla RNN learns."""
    near, half, far = (
        learn(protocol, "rnn", at) for protocol, at in (("learnability", 20), ("own_rate", 50), ("mid_range", 100))
    )
    lasts = carried_to_400()
    draws = draws_at("mid_range", "mid_range_search")["rnn"]
    assert (near[0], half[1], far, draws) == (near[1], 20, (0, 20), 16)
    uniform = [
        learn(protocol, "rnn_uniform", at) for protocol, at in (("learnability", 20), ("own_rate", 50), ("budget", 50))
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
    over_50 = geometric_mean(before_training("left", "rnn"))
    scaled, plain = (learn("own_rate", arm, 50) for arm in ("rnn_gain", "rnn"))
    cut = {arm: learn("causes", arm, 100) for arm in ("lstm_truncated_100", "lstm_truncated_110")}
    assert cut == {"lstm_truncated_100": (0, 10), "lstm_truncated_110": (10, 10)}
    return [
        f"Before training the orthogonal RNN keeps {100 * rate_of('rnn'):.0f} % of it at each step, "
        f"and {100 * over_50:.0f} % over 50.",
        "just short of the clause, and none of ten seeds learns. Let it just reach the clause, and all ten do:",
        f"{scaled[0]} of {scaled[1]} orthogonal RNNs learn 50 tokens. Unscaled, {plain[0]} do,",
    ]


def of_the_cell() -> list[str]:
    """What README says of an LSTM's cell, its gates and other encoders."""
    run = evidence("causes").scores
    near, far = ({arm: learn("causes", arm, at) for arm, lag in run if lag == str(at)} for at in (20, 100))
    for at in (near, far):
        assert (at["lstm_detach_cell"], at["lstm_no_input"], at["lstm_no_output"]) == ((0, 10), (0, 10), (10, 10))
    usual, chrono = (learn("mid_range", arm, 100) for arm in ("lstm", "lstm_chrono"))
    gru, relu = (learn("learnability", arm, 100) for arm in ("gru", "rnn_relu"))
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
    seeds = {arm: learn("long_range", arm, 400) for arm, _ in evidence("long_range").scores}
    assert [seeds[arm][0] for arm in ("rnn", "rnn_relu", "lstm")] == [0, 0, 0]
    return [
        "with chrono for 400 steps learns with {} of {} seeds,".format(*seeds["lstm_chrono"]),
        f"for 2,000 steps with {seeds['lstm_chrono_2000'][0]}. A GRU does with {seeds['gru'][0]}.",
        "The orthogonal and the ReLU RNN, and the LSTM with forget bias 1, do with none.",
    ]


def of_film_reviews() -> list[str]:
    """What README says of IMDb."""
    lstm, bag, first = (accuracies_of("real_text", arm) for arm in ("lstm", "bag", "rnn"))
    again = accuracies_of("steady_rate", "rnn_steady")
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
    counts = [
        learn(*one)[0]
        for one in (
            ("learnability", "rnn", 20), ("own_rate", "rnn", 50), ("mid_range", "rnn", 100),
            ("learnability", "rnn_uniform", 5), ("learnability", "rnn_uniform", 20), ("learnability", "rnn_relu", 100),
        )
    ]  # fmt: skip
    assert counts == [20, 15, 0, 20, 2, 20]
    assert "succeeds at lag 20 in all 20 seeds, at lag 50 in 15, and at lag 100 in none." in home
    assert "succeeds at lag 5 in all 20 seeds, and at lag 20 in 2." in home
    for said in (
        f"by {rate_of('rnn_uniform'):.2f} with the uniform initialization",
        f"by {rate_of('rnn'):.2f} with the orthogonal one",
        "{} of {} at lag 100.".format(*learn("causes", "lstm_detach_hidden", 100)),
        "{} of {} orthogonal RNNs succeed at lag 400".format(*carried_to_400()),
    ):
        assert said in home
    assert forgotten_by("rnn") == (4, 9)
    assert "all nine RNNs lose over a fifth of what they knew of a review, in 400 neutral tokens. Four lose all" in home


def test_the_numbers_of_the_answers_for_a_class_are_those_of_the_studies() -> None:
    page = " ".join((REPOSITORY / "docs" / "teaching.md").read_text().split())
    cut = {arm: [learn("causes", arm, at) for at in (20, 100)] for arm in ("lstm_detach_cell", "lstm_no_input")}
    assert set(map(tuple, cut.values())) == {((0, 10), (0, 10))}
    assert "When this path is cut, no seed succeeds at lag 20 or 100." in page
    assert "Without the input gate none succeeds" in page
    short, long = (learn("causes", f"lstm_truncated_{steps}", 100) for steps in (100, 110))
    assert (short, long, learn("causes", "lstm_detach_hidden", 20)) == ((0, 10), (10, 10), (10, 10))
    assert (
        "a clause at lag 100 lets no seed of ten succeed. A gradient that just reaches the clause lets all ten" in page
    )
    open_gates = [learn(protocol, "lstm_forget_5", at)[0] for protocol, at in (("learnability", 20), ("own_rate", 50))]
    assert open_gates + [learn("budget", "lstm_forget_5", at)[0] for at in (20, 50)] == [0, 0, 10, 5]
    assert "In the studies it succeeds in no seed at lag 20 or 50." in page
    assert "all ten seeds succeed at lag 20, and five at lag 50" in page
    assert learn("causes", "lstm_no_forget", 100) == (10, 10)
    assert "with input gates that start nearly closed, succeeds at lag 100 in all ten seeds" in page
    assert [evidence("unseen").learn("rnn", "50"), learn("own_rate", "rnn", 50)] == [(20, 20), (15, 20)]
    assert "all 20 seeds succeed at lag 50 after mixed lags, and 15 of 20 after lag 50 alone" in page
    assert [learn("mid_range", arm, 100) for arm in ("rnn", "lstm", "lstm_chrono")] == [(0, 20), (14, 20), (20, 20)]
    assert "the RNN succeeds in none of 20, an LSTM with forget bias 1 in 14, and one with chrono" in page
    assert leading(accuracies_of("real_text", "lstm"), accuracies_of("real_text", "bag")) == 0
    lesson = (REPOSITORY / "notebooks" / "lesson.ipynb").read_text()
    assert (
        "succeeds at lag 50 in 15 of 20 seeds. At lag 100 it succeeds in none, and an LSTM with forget bias 1 in 14."
        in lesson
    )
    assert learn("budget", "rnn_uniform", 50) == (10, 10)
    assert "the uniform RNN succeeds at lag 50 in ten of ten seeds" in lesson
    assert learn("learnability", "rnn_relu", 100) == (20, 20)
    assert "It succeeds at lag 100 in all of 20 seeds." in lesson


def test_the_numbers_of_the_limits_are_those_of_the_studies() -> None:
    limits = (REPOSITORY / "README.md").read_text().split("## Limits")[1]
    (rounded, of), (exact, of_exact) = (learn("bfloat16", arm, 50) for arm in ("rnn_bfloat16", "rnn"))
    assert of == of_exact
    assert f"{rounded} of {of} orthogonal RNNs learn 50 tokens, and {exact} in float32" in limits


def draws_at(protocol: str, sweep: str) -> dict[str, int]:
    """How many draws each arm of a search had."""
    return {arm: len(draws) for arm, draws in draws_of(evidence(protocol).table, sweep).items()}


def leading(first: Iterable[float], second: Iterable[float]) -> int:
    """In how many seeds the first is better by more than a point; both in the order of their seeds."""
    return beyond([one - other for one, other in zip(first, second, strict=True)], MARGIN)


def accuracies_of(protocol: str, arm: str) -> list[float]:
    """Test accuracies of an arm on IMDb, by seed."""
    return list(evidence(protocol).scores[arm, ""].values())
