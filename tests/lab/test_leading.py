"""The figure that leads: each lag at the rate that was searched there."""

from pathlib import Path

import pytest
from made_studies import learners, make_study, table_of

from experiments.lab.findings import leading_figure, searched_where_run
from experiments.lab.study import Study, find_study
from experiments.lab.table import joined, read_results


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two protocols, of which the second ran again at 50 tokens; 20 tokens of it are not asked for."""
    protocols = {
        name: {"date": make_study(tmp_path).protocols["first"].path.name[:10], "sweeps": [
            {"name": f"{name}_{{at}}", "at": [20, 50], "arms": ["rnn", "gru"], "seeds": "0-19", "rates": ["search"]}
        ]}
        for name in ("first", "second")
    }  # fmt: skip
    leading = {"arms": ["rnn", "lstm"], "from": {"first": [20, 50], "second": [50]}}
    return make_study(tmp_path, protocols=protocols, leading=leading)


def test_of_two_protocols_at_a_lag_the_later_is_shown(study: Study) -> None:
    first = table_of(study, {("rnn", "20"): learners(20), ("rnn", "50"): learners(0), ("gru", "50"): learners(3)})
    table = joined(first, table_of(study, {("rnn", "50"): learners(15), ("rnn", "20"): learners(1)}, "second"))
    assert searched_where_run(study, table) == {"rnn": {20: (20, 20), 50: (15, 20)}, "gru": {50: (3, 20)}}


def test_a_lag_that_lacks_seeds_is_not_shown_and_neither_is_an_arm_that_was_not_run(study: Study) -> None:
    table = table_of(study, {("rnn", "20"): learners(20), ("rnn", "50"): learners(19, of=19)})
    assert searched_where_run(study, table) == {"rnn": {20: (20, 20)}}
    (axes,) = leading_figure(study, table).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["20"]


def test_the_committed_figure_has_each_lag_at_the_rate_that_was_searched_there() -> None:
    lag = find_study("lag")
    found = searched_where_run(lag, read_results(lag.folder))
    assert found["rnn"] == {5: (20, 20), 20: (20, 20), 50: (15, 20), 100: (0, 20), 400: (0, 10)}
    assert not any(200 in counts for counts in found.values()), "no search was run there"
