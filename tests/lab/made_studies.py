"""A small study in a folder of a test's own, and results made up for it."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from experiments.lab.results import rows_of
from experiments.lab.rules import Evidence, evidence_of
from experiments.lab.study import Study, read_study

RULES = "An arm learns where most seeds do.\n"
"""Text of a made-up protocol."""
ARMS = ["rnn", "gru", "lstm"]
Scores = Mapping[tuple[str, str], Sequence[float]]
"""By arm and condition: the score of each seed, from the first planned one on."""


def make_study(root: Path, of_protocol: Mapping[str, Any] | None = None, **changed: Any) -> Study:
    """A study, `made`, of three arms at 20 and 50 tokens with twenty seeds, and one protocol, `first`.

    Args:
        of_protocol: keys of the protocol that are other ones.
        changed: keys of `study.yaml` that are other ones.
    """
    sweeps = [
        {"name": "search_{at}", "at": [20], "arms": ARMS, "draws": "0-3", "seeds": 100},
        {"name": "learn_{at}", "at": [20, 50], "arms": ARMS, "seeds": "0-19", "rates": ["search_20"]},
    ]
    first = {"date": datetime.date(2026, 1, 2), "sweeps": sweeps, "claims": []} | dict(of_protocol or {})
    declared = {
        "title": "How far do they remember?", "question": "At which lags do most seeds learn?", "order": 1,
        "score": "accuracy", "unit": "tokens", "vary": "data.max_lag", "settings": {"data": "generated"},
        "arms": dict.fromkeys(ARMS), "protocols": {"first": first},
    } | changed  # fmt: skip
    folder = root / "experiments" / "made"
    (folder / "protocols").mkdir(parents=True, exist_ok=True)
    for name, protocol in declared["protocols"].items():
        (folder / "protocols" / f"{protocol.get('date')}_{name}.md").write_text(RULES)
    (folder / "study.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    return read_study(folder)


def learners(learn: int, of: int = 20) -> list[float]:
    """Scores of so many seeds that learn, and of others that do not."""
    return [0.99] * learn + [0.5] * (of - learn)


def table_of(study: Study, scores: Scores, protocol: str = "first") -> pd.DataFrame:
    """Results of runs with these scores; validation is as good as the test, and who learns does so in 225 steps."""
    rows: list[tuple[object, ...]] = []
    for (arm, condition), values in scores.items():
        sweep = next((one for one in study.protocols[protocol].sweeps if not one.searches and arm in one.arms), None)
        for seed, score in enumerate(values, min(sweep.seeds) if sweep else 0):
            at = f"learn_{condition}", protocol, arm, condition, seed, None
            rows += [(*at, "test", "accuracy", score), (*at, "validation", "best_accuracy", score)]
            rows += [(*at, "validation", "steps", 225 if score > 0.9 else 1800)]
            rows += [(*at, "validation", "learned", score > 0.9)]
    return rows_of(study.name, rows)


def evidence(study: Study, scores: Scores, protocol: str = "first") -> Evidence:
    """Evidence of these scores for the claims of a protocol."""
    return evidence_of(study, study.protocol(protocol), table_of(study, scores, protocol))


def search_rows(sweep: str, arm: str, scores: Sequence[float | Sequence[float]], draws: Sequence[int] = ()) -> Any:
    """Rows of a search without its study: of each draw the score, or one for each seed. Its learning rate is 0.01
    divided by its number and one."""
    for number, of_draw in zip(draws or range(len(scores)), scores, strict=True):
        for seed, score in enumerate(of_draw if isinstance(of_draw, Sequence) else [of_draw], 100):
            at = sweep, "first", arm, "20", seed, number
            yield (*at, "train", "learning_rate", 0.01 / (number + 1))
            yield (*at, "train", "clip_norm", 1.0)
            yield (*at, "validation", "score", score)
