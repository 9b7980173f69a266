"""Rules fixed before the data: a study's protocol, and under which one its results were measured.

`protocol.md` in a study's folder states hypotheses, arms, budgets, what is measured, and the rule of each verdict. Runs
are tagged with its SHA-256 digest when they begin. `provenance.json`, written with the measurements, keeps the digest,
and on which processors and with which versions the runs were trained.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sentiment_rnn.errors import UserError
from sentiment_rnn.studies.kit.measurements import RESULTS
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.provenance import provenance_of
from sentiment_rnn.tracking.store import Store

PROTOCOL, PROVENANCE = "protocol.md", "provenance.json"

Parts = Sequence[Mapping[str, Any]]
"""The sweeps of `provenance.json`; of one whose seeds were run at different times, each part."""


def protocol_digest(study: Study, folder: Path) -> str:
    """SHA-256 digest of a study's protocol.

    Raises:
        UserError: the file is not there.
    """
    path = folder / PROTOCOL
    if not path.is_file():
        raise UserError(f"{path}: not there; write the rules of each verdict down before name={study.name} runs")
    return digest_of(path)


def digest_of(protocol: Path) -> str:
    """SHA-256 digest of a protocol."""
    return hashlib.sha256(protocol.read_bytes()).hexdigest()


def provenance_json(study: Study, sweeps: Sequence[Sweep], store: Store, protocol: str, kept: Parts = ()) -> str:
    """The content of `provenance.json`: the protocol, and each sweep that is measured.

    Args:
        sweeps: those of the study that were measured now.
        kept: those that were measured before. One of them is left out where all its runs were measured again.
    """
    names = [*(sweep.experiment for sweep in sweeps), *study.needs.values()]
    new = {name: asdict(provenance_of(store, name)) for name in names}

    def stays(part: Mapping[str, Any]) -> bool:
        if (again := new.get(part["sweep"])) is None:
            return True
        all_seeds = set(part["seeds"]) <= set(again["seeds"]) and part["runs"] <= again["runs"]
        return not (all_seeds and set(part.get("encoders", ())) <= set(again["encoders"]))

    parts = [*filter(stays, kept), *new.values()]
    order = list(dict.fromkeys([sweep.experiment for sweep in study.sweeps] + [part["sweep"] for part in parts]))
    parts.sort(key=lambda part: (order.index(part["sweep"]), part["seeds"]))
    return json.dumps({"protocol": protocol, "sweeps": parts}, indent=1) + "\n"


def read_provenance(folder: Path) -> tuple[str, Parts]:
    """The protocol's digest under which a folder was measured, and the sweeps or parts of them.

    Raises:
        UserError: `provenance.json` is not there, or is damaged.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        raise UserError(f"{path}: not there; run the study, sentiment-rnn study name={folder.name}")
    try:
        found = json.loads(path.read_text())
        return found["protocol"], found["sweeps"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}); run the study, sentiment-rnn study name={folder.name}") from error


def measured_parts(study: Study, folder: Path) -> Parts:
    """The sweeps, or parts of them, that were measured into a folder; none where nothing was.

    Raises:
        UserError: what was measured there was measured under another protocol than the one in the folder, or under an
            unknown one.
    """
    if not (folder / RESULTS).is_file():
        return ()
    check_protocol(study, folder)
    return read_provenance(folder)[1]


def check_started_under(protocol: str, store: Store, sweep: str) -> None:
    """Raise `UserError` where runs of a sweep began under another protocol, or under none."""
    others = [other for other in provenance_of(store, sweep).protocols if other != protocol]
    if others:
        listed = ", ".join("none" if other is None else other[:8] for other in others)
        raise UserError(
            f"experiment={sweep}: runs of it began under another {PROTOCOL} ({listed}; now {protocol[:8]}); put that "
            "one back, or train anew with overrides=[tracking.repeat=true]"
        )


def check_protocol(study: Study, folder: Path) -> None:
    """Raise `UserError` where the results in a folder were measured under another protocol than the one beside them."""
    protocol = protocol_digest(study, folder)
    measured, _ = read_provenance(folder)
    if measured != protocol:
        raise UserError(
            f"{folder / PROTOCOL} ({protocol[:8]}) is not the protocol under which the results were measured "
            f"({str(measured)[:8]}, {PROVENANCE}); put that one back, or measure anew"
        )
