"""README's table and that of the cells, from the files of the studies."""

from experiments.lab.answer import answer_table, by_draw, learned_table
from experiments.lab.findings import Found
from experiments.lab.rules import worst_to_best
from experiments.lab.study import EXPERIMENTS


def test_an_encoder_has_its_span_its_seeds_its_accuracies_and_the_size_of_its_state(committed: list[Found]) -> None:
    orthogonal, gru, lstm, chrono, min_gru, slstm = answer_table(EXPERIMENTS, committed).rows
    assert orthogonal == ("RNN, orthogonal", "50", "0/20 (0–17)", "54.6–84.6", "1")
    assert gru == ("GRU", "100", "18/20 (68–99)", "88.9–89.3", "1")
    assert lstm == ("LSTM, forget bias 1", "50", "0–14/20, by draw", "87.3–88.7", "2")
    assert chrono == ("LSTM, chrono 400", "400", "20/20 (83–100)", "–", "2")
    assert min_gru == ("minGRU, two layers", "100", "18/20 (68–99)", "89.3–89.8", "2")
    assert slstm == ("sLSTM", "100", "19/20 (75–100)", "88.7–89.0", "4")


def test_every_encoder_of_the_leading_figure_has_a_row_on_the_page_of_cells(committed: list[Found]) -> None:
    (lag,) = (study for study, _ in committed if study.name == "lag")
    table = learned_table(EXPERIMENTS, committed)
    assert {row[0] for row in table.rows} == {lag.arms[arm].label for arm in lag.leading["arms"]}
    assert ("LSTM, chrono 400", "400", "20/20", "–") in [row[:4] for row in table.rows]


def test_the_longest_lag_is_the_span_in_the_table_of_the_study(committed: list[Found]) -> None:
    (found,) = (by_protocol for study, by_protocol in committed if study.name == "lag")
    spans = {row[0]: row[-1] for row in found["figure"].tables["shares"].rows}
    assert spans == {row[0]: row[1] for row in learned_table(EXPERIMENTS, committed).rows}


def test_a_row_shows_the_fewest_and_the_most_seeds_over_its_draws(committed: list[Found]) -> None:
    (found,) = (by_protocol for study, by_protocol in committed if study.name == "lag")
    assert by_draw(found, {"finalists": ["lstm_9", "lstm_3", "lstm_8"]}) == "0–11/20, by draw"
    assert by_draw(found, {"finalists": ["rnn_1", "rnn_8", "rnn_4"]}) == "0/20 by every draw"
    assert by_draw(found, {"not_run": ["lstm"]}) == "–"


def test_accuracies_are_a_range_over_seeds() -> None:
    assert worst_to_best({20: 0.9, 21: 0.5, 22: 0.8}) == "50.0–90.0"
