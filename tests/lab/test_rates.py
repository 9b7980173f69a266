"""The table of language models by learning rate has a row for each encoder that has run."""

from experiments.lab.findings import findings_of
from experiments.lab.results import rows_of
from experiments.lab.study import find_study

STUDY = find_study("best")


def test_perplexity_stands_in_the_column_of_its_rate() -> None:
    protocol = STUDY.protocol("rates")
    rows = [
        (sweep.name, "rates", sweep.arms[0], "", 100, None, "validation", "perplexity", 100.0 + place)
        for place, sweep in enumerate(protocol.sweeps)
        if sweep.arms[0].startswith(("gru", "lstm")) and sweep.arms[0].endswith(("2", "8"))
    ]
    (table,) = findings_of(STUDY, protocol, rows_of("best", rows)).tables.values()
    assert table.columns[1:] == ("0.001", "0.002", "0.004", "0.008")
    assert table.rows == [("GRU, 512 units", "", "101.0", "", "103.0"), ("LSTM, 512 units", "", "104.0", "", "106.0")]
