"""Look at one text as a trained model reads it, on an HTML page.

sentiment-rnn inspect "i really liked the movie but the seats were awful"
sentiment-rnn inspect --against sentiment@rnn "The beginning is slow. The ending is one of the finest I have seen."
"""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_rnn.cli.options import FilePath
from sentiment_rnn.cli.trained_model import ModelOptions, open_model, shortened
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import SHORTEST_ID

if TYPE_CHECKING:
    from sentiment_rnn.inference.probes import Inspection


def main(
    text: str,
    /,
    *,
    against: str | None = None,
    output: FilePath = Path("inspection.html"),
    options: ModelOptions = ModelOptions(),
) -> None:
    """Read the text with one model or two, and write the page.

    Args:
        text: the text; - reads standard input
        against: another model beside it: a registered one, or a run's id or its beginning
        output: the page
    """
    from sentiment_rnn.data.text_files import utf8_input
    from sentiment_rnn.inference.predictor import Doubts
    from sentiment_rnn.inference.probes import inspect
    from sentiment_rnn.report.pages import inspection_page

    if text == "-":
        with utf8_input() as handle:
            text = handle.read()
    if not output.absolute().parent.is_dir():
        raise UserError(f"--output={output}: its folder does not exist")
    chosen = [options]
    if against:
        is_run = re.fullmatch(f"[0-9a-f]{{{SHORTEST_ID},32}}", against)
        chosen.append(replace(options, run=against if is_run else None, model=None if is_run else against))
    inspections: list[Inspection] = []
    lines: dict[str, None] = {}
    for options in chosen:
        with open_model(options) as model:
            inspections.append(inspect(model.predictor, text))
            doubts = Doubts(model.predictor.package.reading)
            doubts.add(model.predictor.predict([text]))
            lines |= dict.fromkeys(doubts.lines())
    output.write_text(inspection_page(inspections), encoding="utf-8")
    for inspection in inspections:
        print(summary(inspection))
    for line in lines:
        print(line, file=sys.stderr)
    print(f"page: {output.absolute().as_uri()}")


def summary(inspection: "Inspection") -> str:
    """One line: the model's answer, and the sentence that changes it most."""
    line = f"{inspection.name}: {100 * inspection.probability:.1f} % positive"
    if inspection.contributions:
        network, ngrams, _ = inspection.contributions
        line += f", logit {network:+.2f} (network) {ngrams:+.2f} (n-grams)"
    if len(inspection.sentences) > 1:
        most = max(inspection.sentences, key=lambda sentence: abs(sentence.change))
        line += f"; moved most by “{shortened(most.text, 40)}”, {100 * most.change:+.1f} points"
    return line
