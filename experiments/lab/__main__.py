"""The lab: run studies, and write what their results say.

    python -m experiments.lab study lag                         # train what is missing, measure, write
    python -m experiments.lab study lag --sweeps learn_50,learn_100 --output runs/lag trainer.epochs=2
    python -m experiments.lab write                             # figures, tables and verdicts from the results alone
    python -m experiments.lab lag my_package.MyCell             # how far one encoder reaches, beside those of reach
    python -m experiments.lab report                            # one HTML page, runs/report.html

An interrupted study resumes with the same command. What its results have is left as it is (`--again` measures it anew).
A study runs from committed code; a trial with other settings than its protocols' needs none.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from experiments.lab.claims import judged_claims, protocol_table
from experiments.lab.lag import place
from experiments.lab.page import build_page
from experiments.lab.provenance import uncommitted
from experiments.lab.run import changing, run
from experiments.lab.study import EXPERIMENTS, Study, all_studies, find_study
from experiments.lab.write import findings_by_protocol, write, write_figures
from sentiment_rnn.cli.errors import run as run_command
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import new_console, show

ROOT = EXPERIMENTS.parent


def main() -> None:
    """Run a command of the lab."""
    parser = argparse.ArgumentParser(
        "python -m experiments.lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    study = commands.add_parser("study", help="train and measure a study; behind the options, overrides of its runs")
    study.add_argument("name", help="a folder of experiments/ with a study.yaml, or all; an unknown name lists them")
    study.add_argument("--protocols", type=_names, default=[], help="only these, with commas between")
    study.add_argument("--sweeps", type=_names, default=[], help="only these sweeps, with commas between")
    study.add_argument("--store", default="runs", help="where runs are recorded (tracking.directory)")
    study.add_argument("--output", type=Path, help="folder of the results (default: that of the study)")
    study.add_argument("--again", action="store_true", help="also what the results have: train and measure it anew")
    own = commands.add_parser("lag", help="how far one encoder reaches; behind the options, overrides")
    own.add_argument("encoder", help="a class (my_package.Mine), an encoder's name, or my_conf/encoder/mine.yaml")
    own.add_argument("--lags", type=_numbers, default=(50, 100, 200), help="tokens, with commas between")
    own.add_argument("--draws", type=int, default=32, help="of learning rate and clipping, at each lag; two seeds each")
    own.add_argument("--store", type=Path, default=Path("runs"), help="where runs are recorded (tracking.directory)")
    written = commands.add_parser("write", help="write figures, tables and verdicts from the results")
    written.add_argument("names", nargs="*", help="studies whose figures are drawn (default: all)")
    page = commands.add_parser("report", help="write one HTML page of all studies")
    page.add_argument("--output", type=Path, default=Path("runs/report.html"))
    given, overrides = parser.parse_known_args()
    trains = given.command in ("study", "lag")
    if unknown := [one for one in overrides if not trains or "=" not in one or one.startswith("--")]:
        parser.error(f"{unknown[0]}: expected an override of runs, key=value, or an option of --help")
    if given.command == "study":
        for found in all_studies() if given.name == "all" else [find_study(given.name)]:
            run_study(found, given, overrides)
    elif given.command == "lag":
        place(given.encoder, given.lags, given.draws, given.store, overrides)
    elif given.command == "write":
        write(ROOT, given.names)
    else:
        write_page(given.output)


def run_study(study: Study, given: argparse.Namespace, overrides: list[str]) -> None:
    """Train and measure a study, print the verdicts on it, draw its figures, and write the documents.

    Raises:
        UserError: code is not committed, and the settings are those of the protocols.
    """
    if (left := uncommitted(ROOT)) and not changing(overrides):
        others = f" and {len(left) - 1} other files" if len(left) > 1 else ""
        raise UserError(
            f"{left[0]}{others}: changed or new since the last commit, and results name that one; commit first"
        )
    if given.output:
        study = replace(study, output=given.output / study.name if given.name == "all" else given.output)
    asked = run(study, given.protocols, given.sweeps, [f"tracking.directory={given.store}", *overrides], given.again)
    found = findings_by_protocol(study)
    claims = judged_claims([(study, found)])
    for name in (name for name in asked if name in found and found[name].verdicts):
        show(new_console(), protocol_table(study, study.protocols[name], claims))
    if given.output:
        print("\n".join(f"written: {path}" for path in write_figures(study, found)))
    else:
        write(ROOT, [study.name])


def write_page(output: Path) -> None:
    """Write the page of all studies."""
    html = build_page(ROOT)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(html, encoding="utf-8")
    print(f"written to {output} ({len(html) / 1e6:.1f} MB); open it in a browser")


def _numbers(given: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(number) for number in given.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{given}: expected numbers with commas between, 20,100") from error


def _names(given: str) -> list[str]:
    return [name.strip() for name in given.split(",")]


if __name__ == "__main__":
    run_command(main)
