"""How much do encoders keep in the textbook tasks, copying and adding? By experiments/textbook/protocol.md."""

from pathlib import Path

from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import adjusted_tests, comparison_tables
from sentiment_rnn.studies.kit.measurements import read_styles
from sentiment_rnn.studies.kit.random_search import search_figure, search_table
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.textbook.claims import COMPARISONS, COPYING, verdicts
from sentiment_rnn.studies.textbook.kept import kept_figures, kept_table, learnt_table
from sentiment_rnn.studies.textbook.measurements import measure, read_scores, read_searches, search_file, whole_tasks


def findings(folder: Path) -> Findings:
    """Findings from the files; where only searches have been run, theirs.

    Raises:
        UserError: a file is missing or damaged.
    """
    scores, styles, searches = read_scores(folder), read_styles(folder), read_searches(folder)
    tables = [search_table(draws, styles, f"Kept on validation [%], {task}") for task, draws in searches.items()]
    figures = {
        search_file(task).removesuffix(".csv"): search_figure(draws, styles, "share kept on validation [%]")
        for task, draws in searches.items()
    }
    if not scores:
        return Findings(tables, [], figures)
    whole = whole_tasks(scores)
    adjusted = adjusted_tests(COMPARISONS, whole)
    return Findings(
        tables=[
            kept_table(scores, styles),
            learnt_table(scores, styles),
            *comparison_tables(COMPARISONS, adjusted, whole, styles),
            *tables,
        ],
        verdicts=verdicts(adjusted, whole, styles),
        figures=kept_figures(scores, styles) | figures,
    )


CASES = (*(f"copying_{symbols}" for symbols in COPYING), "adding_50", "adding_200")
SWEEPS = (
    *(Sweep(f"textbook_search_{case}", chooses_rates=True) for case in CASES),
    *(Sweep(f"textbook_{case}") for case in CASES),
)

STUDY = Study(
    name="textbook",
    order=30,
    sweeps=SWEEPS,
    measure=measure,
    findings=findings,
    in_parts=True,
)
