"""The lab: run studies, and write what their results say.

python -m experiments.lab study lag
python -m experiments.lab study lag --sweeps schedule_rnn_1800_540 --output runs/lag trainer.epochs=2
python -m experiments.lab lag my_package.MyCell
python -m experiments.lab write
python -m experiments.lab report

An interrupted study resumes with the same command. Results that exist are kept (`--again` measures them anew). A study
runs only from committed code; a trial with settings that differ from its protocols does not need it.
"""

import sys
from dataclasses import replace
from pathlib import Path

from experiments.lab.lag import place
from experiments.lab.page import build_page
from experiments.lab.provenance import uncommitted
from experiments.lab.run import changing, run
from experiments.lab.study import EXPERIMENTS, Study, all_studies, find_study
from experiments.lab.summary import judged_claims, protocol_table
from experiments.lab.write import findings_by_protocol, write, write_figures
from sentiment_rnn.cli.errors import run as run_command
from sentiment_rnn.cli.options import call, new_app
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import new_console, show

ROOT = EXPERIMENTS.parent
app = new_app("python -m experiments.lab", __doc__, version_flags=())


def main() -> None:
    """Run a command of the lab."""
    call(app, sys.argv[1:])


@app.command
def study(
    name: str,
    /,
    *overrides: str,
    protocols: str = "",
    sweeps: str = "",
    store: str = "runs",
    output: Path | None = None,
    again: bool = False,
) -> None:
    """Train and measure a study.

    Args:
        name: a folder of experiments/ with a study.yaml, or all; an unknown name lists them
        overrides: overrides of its runs: trainer.epochs=2
        protocols: only these protocols, separated by commas
        sweeps: only these sweeps, separated by commas
        store: where runs are recorded (tracking.directory)
        output: folder of the results (default: that of the study)
        again: train and measure anew what the results already have
    """
    overrides = settings(overrides)
    studies = all_studies() if name == "all" else [find_study(name)]
    if (left := uncommitted(ROOT)) and not changing(overrides):
        others = f" and {len(left) - 1} other files" if len(left) > 1 else ""
        raise UserError(
            f"{left[0]}{others}: changed or new since the last commit, and results name that one; commit first"
        )
    for trained in studies:
        if output:
            trained = replace(trained, output=output / trained.name if name == "all" else output)
        ran = run(trained, names_of(protocols), names_of(sweeps), [f"tracking.directory={store}", *overrides], again)
        show_and_write(trained, ran)


def show_and_write(trained: Study, protocols: list[str]) -> None:
    """Print the verdicts of these protocols, draw the study's figures, and write the documents."""
    found = findings_by_protocol(trained)
    claims = judged_claims([(trained, found)])
    for name in (name for name in protocols if name in found and found[name].verdicts):
        show(new_console(), protocol_table(trained, trained.protocols[name], claims))
    if trained.output != trained.folder:
        print("\n".join(f"written: {path}" for path in write_figures(trained, found)))
    else:
        write(ROOT, [trained.name])


@app.command
def lag(encoder: str, *overrides: str, lags: str = "50,100,200", draws: int = 32, store: Path = Path("runs")) -> None:
    """Measure how far one encoder reaches, beside those of the study reach.

    Args:
        encoder: a class (my_package.Mine), an encoder's name, or my_conf/encoder/mine.yaml
        overrides: overrides of its runs: trainer.threads=1
        lags: lags in tokens, separated by commas
        draws: draws of learning rate and clipping at each lag; two seeds each
        store: where runs are recorded (tracking.directory)
    """
    if not all(number.isdecimal() for number in names_of(lags)):
        raise UserError(f"--lags {lags}: expected numbers with commas between, 20,100")
    place(encoder, sorted({int(number) for number in names_of(lags)}), draws, store, settings(overrides))


@app.command(name="write")
def write_documents(*names: str) -> None:
    """Write figures, tables and verdicts from the results.

    Args:
        names: studies whose figures are drawn (default: all)
    """
    write(ROOT, names)


@app.command
def report(*, output: Path = Path("runs/report.html")) -> None:
    """Write one HTML page of all studies.

    Args:
        output: the file
    """
    html = build_page(ROOT)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(html, encoding="utf-8")
    print(f"written to {output} ({len(html) / 1e6:.1f} MB); open it in a browser")


def settings(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """The overrides; raises `UserError` for one that is none."""
    if wrong := [override for override in overrides if "=" not in override]:
        raise UserError(f"{wrong[0]}: expected an override of runs, key=value, or an option of --help")
    return overrides


def names_of(given: str) -> list[str]:
    """The parts of a list with commas."""
    return [name.strip() for name in given.split(",") if name.strip()]


if __name__ == "__main__":
    run_command(main)
