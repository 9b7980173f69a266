"""The gradient-flow study on gradients made here."""

import numpy as np
import pytest
from made_results import PLAIN_STYLES, STYLES

from sentiment_rnn.probes.state_gradients import GradientFlow
from sentiment_rnn.studies.gradient_flow import decay_rate_table, rank_correlation, reach_table, verdicts
from sentiment_rnn.studies.gradient_flow.figures import flow_figure, rate_figure, span_figure
from sentiment_rnn.studies.gradient_flow.measurements import Measured, Rate, reaches
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

RATES = {"rnn_uniform": 0.5, "rnn": 0.8, "rnn_identity": 0.9, "lstm_forget_0": 0.5, "lstm": 0.73, "lstm_forget_5": 0.99}


def flow(rate: float, cell: bool, steps: int = 420) -> GradientFlow:
    """A gradient that is multiplied by `rate` at each step."""
    norms = 0.1 * rate ** np.arange(steps)
    return GradientFlow(norms, norms * 2 if cell else None, rate, denormal=0.25, vanished=0.5)


def measured(corpus: str, epoch: int, rates: dict[str, float]) -> list[Measured]:
    return [
        Measured(corpus, name, seed, epoch, flow(rate, name.startswith("lstm")))
        for name, rate in rates.items()
        for seed in range(3)
    ]


UNTRAINED = measured("generated, distance 400", 0, RATES)


def rates(*groups: list[Measured]) -> list[Rate]:
    """As `results.csv` has them."""
    return [
        Rate(m.corpus, m.encoder, m.seed, m.epoch, m.flow.rate, m.flow.predicted, m.flow.denormal, m.flow.vanished)
        for group in groups
        for m in group
    ]


def by_seed(spans: dict[str, int]) -> dict[str, dict[int, int]]:
    return {name: dict.fromkeys(range(3), span) for name, span in spans.items()}


def test_the_reach_is_where_a_thousandth_of_the_gradient_is_left() -> None:
    # 0.5^9, 0.8^30, 0.9^65, 0.73^21 are the last above 0.001; 0.99^400 is 0.018.
    expected = {"rnn_uniform": 9, "rnn": 30, "rnn_identity": 65, "lstm_forget_0": 9, "lstm": 21, "lstm_forget_5": 400}
    assert reaches(UNTRAINED) == by_seed(expected)


def test_rank_correlation_is_spearmans_over_encoders_with_an_interval() -> None:
    names = [f"encoder {number}" for number in range(8)]
    reached = by_seed({name: number for number, name in enumerate(names)})
    longer = by_seed({name: number**3 for number, name in enumerate(names)})
    assert rank_correlation(reached, longer) == pytest.approx((1.0, 1.0, 1.0))
    mixed = by_seed(dict(zip(names, (3, 7, 1, 5, 6, 0, 4, 2), strict=True)))
    found = rank_correlation(reached, mixed)
    assert found.low < found.estimate < found.high
    assert found.low < 0 < found.high


def test_spans_that_are_all_alike_have_no_correlation() -> None:
    alike = by_seed(dict.fromkeys(RATES, 20))
    assert np.isnan(rank_correlation(reaches(UNTRAINED), alike)).all()
    trained = measured("IMDb", 1, {"rnn": 0.8})
    assert verdicts(rates(trained, UNTRAINED), reaches(UNTRAINED), alike)[1].verdict == UNDECIDED


AS_PREDICTED = {"rnn_uniform": 5, "rnn": 20, "rnn_identity": 50, "lstm_forget_0": 5, "lstm": 20, "lstm_forget_5": 400}
REVERSED = {"rnn_uniform": 400, "rnn": 20, "rnn_identity": 10, "lstm_forget_0": 400, "lstm": 20, "lstm_forget_5": 2}


def test_a_gradient_that_grows_while_it_is_trained_decays_in_part() -> None:
    during = [*measured("generated", 1, {"rnn": 0.8, "rnn_identity": 1.01}), *measured("IMDb", 1, {"rnn": 0.8})]
    found = verdicts(rates(during, UNTRAINED), reaches(UNTRAINED), by_seed(AS_PREDICTED))[0]
    assert found.verdict == IN_PART
    assert (
        "0.800 to 1.010 on generated (of 2 initializations and epochs 1 decay, 1 grow and 0 are open)" in found.evidence
    )


@pytest.mark.parametrize(
    ("trained", "spans", "expected"),
    [
        (0.8, AS_PREDICTED, [HOLDS, HOLDS]),
        (1.01, AS_PREDICTED, [IN_PART, HOLDS]),
        (0.8, REVERSED, [HOLDS, FAILS]),
    ],
)
def test_verdicts_follow_the_numbers(trained: float, spans: dict[str, int], expected: list[str]) -> None:
    during = measured("IMDb", 1, {"rnn": trained})
    found = verdicts(rates(during, UNTRAINED), reaches(UNTRAINED), by_seed(spans))
    assert [verdict.verdict for verdict in found] == expected


def test_tables_and_figures_take_every_encoder() -> None:
    spans = {name: {0: 20, 1: 20, 2: 50} for name in RATES}
    reached = reaches(UNTRAINED)
    during = measured("IMDb", 0, {"rnn": 0.9, "lstm": 0.9}) + measured("IMDb", 2, {"rnn": 0.7, "lstm": 0.95})
    table = decay_rate_table(rates(during, UNTRAINED), STYLES)
    assert [row[2] for row in table.rows] == ["before training", "after 2 epochs"] * 2 + ["before training"] * 6
    assert table.rows[1][3:] == ("0.700 ± 0.000", "0.700 ± 0.000", "25.0", "50.0")
    assert [row[0] for row in reach_table(rates(UNTRAINED), reached, spans, STYLES).rows] == [
        STYLES[n].label for n in RATES
    ]
    assert len(flow_figure(during, UNTRAINED, STYLES, PLAIN_STYLES).axes) == 3
    (axes,) = rate_figure(rates(during, UNTRAINED), STYLES).axes
    drawn = [points for points in axes.collections if len(points.get_offsets())]
    assert len(drawn) == len(rates(during, UNTRAINED))
    (axes,) = span_figure(reached, spans, STYLES).axes
    drawn = [points for points in axes.collections if len(points.get_offsets())]
    assert [len(points.get_offsets()) for points in drawn] == [3] * len(RATES)


def test_a_new_encoder_on_imdb_has_a_panel_of_its_own() -> None:
    given = {"rnn": 0.9, "lstm": 0.9, "mine": 0.9}
    during = measured("IMDb", 0, given) + measured("IMDb", 1, given)
    mine = {"mine": EncoderStyle("My encoder", "#CC79A7")}
    figure = flow_figure(during, UNTRAINED, STYLES | mine, PLAIN_STYLES | mine)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Before training, every initialization",
        "IMDb, RNN: ∂L/∂h (one line per seed)",
        "IMDb, LSTM: ∂L/∂C (one line per seed)",
        "IMDb, My encoder: ∂L/∂h (one line per seed)",
    ]
    assert decay_rate_table(rates(during), STYLES | mine).rows[-1][1] == "My encoder"
