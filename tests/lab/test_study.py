"""Who writes a `study.yaml` gets what it declares, and for a slip one line."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from made_studies import make_study

from experiments.lab.findings import FIGURES
from experiments.lab.study import Claim, Study, Sweep, all_studies, find_study, read_study
from experiments.lab.tables import TABLES
from sentiment_rnn.errors import UserError

DECLARED = """
title: How far?
question: At which lags?
order: 3
score: kept
unit: tokens
search_score: kept
vary: data.max_lag
settings: {trainer.epochs: 8, trainer.target_score: 0.995}
arms:
  rnn:
  short: {encoder: lstm, label: "LSTM, short", settings: {data.max_tokens: 100}}
protocols:
  first:
    date: 2026-01-02
    sweeps:
      - {name: "search_{at}", at: [20, 50], arms: [rnn], draws: 0-2, seeds: 100, settings: {trainer.target_score: null}}
      - {name: "learn_{at}", at: [20, 50], arms: [rnn], seeds: 5-7, rates: ["search_{at}", search_20], least: 53}
      - {name: short, at: [50], arms: [short], tested: [2, 50], seeds: [1, 4], rates: [s], rates_of: {short: rnn}}
    reads: []
    family: 7
    tables: [shares]
    figures: [steps]
    steps: [450, 900]
    among: [2, 5]
    own: mine
    claims:
      - {id: near, text: It does., rule: most_learn, arms: [rnn], at: [20, 50]}
      - id: far
        text: It does not.
        rule: learns_more
        pairs: [[rnn, short], [rnn, {best_on_validation: [rnn, short]}, 20]]
        at: [20]
        margin: 0.4
        only_where: rnn
"""


@pytest.fixture
def declared(tmp_path: Path) -> Study:
    """The study of `DECLARED`."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.yaml").write_text(DECLARED)
    return read_study(tmp_path / "mine")


def test_every_key_of_a_study_is_read(declared: Study, tmp_path: Path) -> None:
    said = declared.title, declared.question, declared.order, declared.score, declared.unit, declared.search_score
    assert said == ("How far?", "At which lags?", 3, "kept", "tokens", "kept")
    assert (declared.name, declared.folder, declared.output) == ("mine", tmp_path / "mine", tmp_path / "mine")
    first = declared.protocols["first"]
    assert first.path == tmp_path / "mine" / "protocols" / "2026-01-02_first.md"
    assert (first.tables, first.figures, first.steps) == (("shares",), ("steps",), (450, 900))
    assert (first.among, first.own, first.reads, first.family) == (("2", "5"), "mine", (), 7)


def test_a_sweep_has_a_condition_and_the_settings_of_study_condition_arm_and_its_own(declared: Study) -> None:
    search, _, near, far, short = declared.protocols["first"].sweeps
    shared = {"trainer.epochs": 8, "trainer.target_score": 0.995}
    assert search == Sweep(
        "search_20", "first", "20", ("rnn",), (100,),
        shared | {"trainer.target_score": None, "data.max_lag": 20}, draws=(0, 1, 2),
    )  # fmt: skip
    assert near == Sweep(
        "learn_20", "first", "20", ("rnn",), (5, 6, 7), shared | {"data.max_lag": 20},
        rates=("search_20", "search_20"), least=53,
    )  # fmt: skip
    assert far.rates == ("search_50", "search_20")
    assert (far.name, far.settings["data.max_lag"], far.seeds) == ("learn_50", 50, (5, 6, 7))
    assert short.settings == shared | {"data.max_lag": 50, "data.max_tokens": 100}
    assert (short.tested, short.seeds, short.rates_of) == (("2", "50"), (1, 4), {"short": "rnn"})
    assert declared.sweep("learn_50") == far
    assert declared.protocols["first"].searches[0] == search


def test_a_claim_has_its_pairs_and_selectors(declared: Study) -> None:
    near, far = declared.protocols["first"].claims
    assert near == Claim("near", "It does.", "most_learn", arms=("rnn",), at=("20", "50"))
    assert far.pairs == (("rnn", "short"), ("rnn", {"best_on_validation": ("rnn", "short")}, "20"))
    assert far.at == ("20",)
    assert (far.margin, far.only_where) == (0.4, "rnn")


def test_an_entry_makes_a_sweep_for_each_condition_rank_and_arm(tmp_path: Path) -> None:
    search = {"name": "search_{arm}_{at}", "at": [20, 50], "arms": ["rnn", "gru"], "draws": "0-3", "seeds": 0}
    final = {"name": "final_{arm}_{rank}", "arms": ["gru"], "rates": ["search_{arm}_20"], "rank": "1-2", "seeds": 1}
    sweeps = make_study(tmp_path, {"sweeps": [search, final]}).protocol("first").sweeps
    assert [(sweep.name, sweep.arms, sweep.condition, sweep.rank, sweep.rates) for sweep in sweeps] == [
        ("search_rnn_20", ("rnn",), "20", 0, ()), ("search_gru_20", ("gru",), "20", 0, ()),
        ("search_rnn_50", ("rnn",), "50", 0, ()), ("search_gru_50", ("gru",), "50", 0, ()),
        ("final_gru_1", ("gru",), "", 1, ("search_gru_20",)), ("final_gru_2", ("gru",), "", 2, ("search_gru_20",)),
    ]  # fmt: skip


ONE = {"name": "learn", "arms": ["rnn", "lstm"], "seeds": 0}
CLAIM = {"id": "x", "text": "X.", "rule": "better"}
NEAR = CLAIM | {"pairs": [["rnn", "lstm"]], "at": [20]}
HALF = {"settings": {"precision": "bfloat16"}}


@pytest.mark.parametrize(
    ("of_protocol", "changed", "said"),
    [
        ({}, {"titel": "x"}, "titel"),
        ({"sweeps": [ONE | {"seed": 1}]}, {}, "seed"),
        ({"claims": [CLAIM | {"rule": "wins"}]}, {}, "claim x names rule wins; expected one of most_learn,"),
        ({"claims": [CLAIM | {"arms": ["rnn"], "at": [20]}]}, {}, "claim x has rule=better and no pairs"),
        ({"claims": [NEAR | {"rule": "most_learn"}]}, {}, "claim x has rule=most_learn and no arms"),
        ({"claims": [NEAR | {"rule": "as_good"}]}, {}, "claim x has rule=as_good and no margin"),
        ({"claims": [NEAR | {"at": [60]}]}, {}, "first names condition 60; expected one of 20, 50"),
        ({"claims": [NEAR | {"at": [{"first": "rnn"}]}]}, {}, "at: Input should be a valid string"),
        ({"claims": [NEAR | {"pairs": [["rnn", {"best": ["rnn"]}]]}]}, {}, "pairs: Input should be 'best"),
        ({"sweeps": [ONE, ONE]}, {}, "two sweeps are called learn; expected a name of its own for each"),
        ({"sweeps": [ONE | {"arms": ["rnnn"]}]}, {}, "first names arm rnnn; expected one of rnn, gru, lstm"),
        ({"claims": [CLAIM | {"pairs": [["rnn", "lsmt"]]}]}, {}, "names arm lsmt;"),
        ({"claims": [CLAIM | {"pairs": [["rnn", {"best_on_validation": ["a"]}]]}]}, {}, "names arm a;"),
        ({"reads": ["zeroth"]}, {}, "first names protocol zeroth; expected one of first"),
        ({}, {"score": "loss"}, "score: Input should be 'accuracy' or 'kept'"),
        ({"sweeps": [ONE | {"rates_of": {"lstm": "rrn"}}]}, {}, "first names arm rrn;"),
        ({"sweeps": [ONE | {"arms": ["rnn", "gru"], "rates": ["x_{arm}"]}]}, {}, "no 'arm'; see docs/studies.md"),
        ({"sweeps": [ONE]}, {"arms": {"rnn": HALF, "lstm": None}}, "different settings"),
        ({"sweeps": [ONE]}, {"arms": {"rnn": None, "lstm": {"encoder": "rnn"}}}, "two of its arms have one encoder"),
        ({}, {"arms": {"mine": {"encoder": "nowhere"}}}, "no file of encoder nowhere, and no color and no label"),
        ({"sweeps": [ONE | {"at": ["copying 2"]}]}, {"conditions": {"copying 1": {}}}, "no condition copying 2;"),
        ({"sweeps": [ONE | {"seeds": "0 to 9"}]}, {}, "0 to 9: expected a range such as 0-19"),
        ({"sweeps": [{"name": "learn", "arms": ["rnn"]}]}, {}, "seeds"),
        ({}, {"protocols": {"first": {"sweeps": []}}}, "no 'date'"),
    ],
)  # fmt: skip
def test_a_slip_in_a_study_is_one_line(
    tmp_path: Path, of_protocol: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        make_study(tmp_path, of_protocol, **changed)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path / 'experiments' / 'made' / 'study.yaml'}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "title: [", "title: x", "- title"])
def test_a_file_that_is_no_study_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(UserError, match=r"study\.yaml: .*; see docs/studies\.md$"):
        read_study(tmp_path)


def test_deviations_below_the_text_of_a_protocol_leave_its_digest_and_another_text_does_not(tmp_path: Path) -> None:
    protocol = make_study(tmp_path).protocols["first"]
    digest, text = protocol.digest, protocol.path.read_text()
    protocol.path.write_text(f"{text}\n## Deviations\n\n**2 January 2026.** A claim is judged otherwise.\n")
    assert protocol.digest == digest
    protocol.path.write_text(f"{text}More.\n\n## Deviations\n")
    assert protocol.digest != digest


@pytest.mark.parametrize("study", all_studies(), ids=lambda study: study.name)
def test_everything_that_a_study_refers_to_is_there(study: Study) -> None:
    sweeps = [sweep for protocol in study.protocols.values() for sweep in protocol.sweeps]
    for protocol in study.protocols.values():
        assert len(protocol.digest) == 64
        assert set(protocol.tables) <= TABLES.keys()
        assert set(protocol.figures) <= FIGURES.keys()
        assert len({claim.id for claim in protocol.claims}) == len(protocol.claims)
    for sweep in sweeps:
        drawn = bool(sweep.draws or sweep.best_of)
        sources = bool(sweep.rates), drawn, "optimizer.draw" in sweep.settings, sweep.rated
        assert sum(sources) == 1, f"{sweep.name} is a search, takes its rates from one, or has a draw or a rate"
        for rate in sweep.rates:
            other, _, name = rate.format(at=sweep.condition.replace(",", "").replace(" ", "_")).rpartition("/")
            assert (find_study(other) if other else study).sweep(name).searches
    for protocol in study.protocols.values():
        assert datetime.date.fromisoformat(protocol.path.name[:10])
    texts = {path.name for path in (study.folder / "protocols").iterdir()}
    assert texts == {protocol.path.name for protocol in study.protocols.values()}


def test_a_protocol_without_its_text_is_one_line(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    study.protocols["first"].path.unlink()
    with pytest.raises(
        UserError, match=r"2026-01-02_first\.md: not there; write the rules of each verdict down before"
    ):
        _ = study.protocols["first"].digest
