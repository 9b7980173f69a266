"""Look at one text as a trained model reads it, on an HTML page.

sentiment-rnn inspect "i really liked the movie but the seats were awful"
sentiment-rnn inspect --against sentiment@rnn "The beginning is slow. The ending is one of the finest I have seen."
"""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_rnn.cli.commands import new_parser
from sentiment_rnn.cli.trained_model import add_arguments, open_model
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.probes.inspection import Inspection


def main() -> None:
    """Read the command line and write the page."""
    parser = new_parser("inspect", __doc__)
    parser.add_argument("text", help="the text; - reads standard input")
    parser.add_argument("--against", metavar="NAME", help="another model beside it: a registered one, or a run's id")
    parser.add_argument("--output", type=Path, default=Path("inspection.html"), help="the page (default: %(default)s)")
    add_arguments(parser)
    write_inspection(parser.parse_args())


def write_inspection(arguments: argparse.Namespace) -> None:
    """Read the text with one model or two, and write the page."""
    from sentiment_rnn.data.text_files import utf8_input
    from sentiment_rnn.inference.doubts import Doubts
    from sentiment_rnn.probes.inspection import inspect
    from sentiment_rnn.report.pages.inspection import inspection_page

    text = arguments.text
    if text == "-":
        with utf8_input() as handle:
            text = handle.read()
    if not arguments.output.absolute().parent.is_dir():
        raise UserError(f"--output={arguments.output}: its folder does not exist")
    with open_model(arguments) as model:
        inspections = [inspect(model.predictor, text)]
        doubts = Doubts(model.predictor.package.reading)
        doubts.add(model.predictor.predict([text]))
    if arguments.against:
        kind = "run" if re.fullmatch("[0-9a-f]{32}", arguments.against) else "model"
        other = {kind: arguments.against}
        with open_model(arguments, **other) as model:
            inspections.append(inspect(model.predictor, text))
    arguments.output.write_text(inspection_page(inspections), encoding="utf-8")
    for inspection in inspections:
        print(summary(inspection))
    for line in doubts.lines():
        print(line, file=sys.stderr)
    print(f"page: {arguments.output.absolute().as_uri()}")


def summary(inspection: "Inspection") -> str:
    """One line: what it says, and which sentence moves it most."""
    line = f"{inspection.name}: {100 * inspection.probability:.1f} % positive"
    if len(inspection.sentences) > 1:
        number, most = max(enumerate(inspection.sentences, 1), key=lambda found: abs(found[1].change))
        line += f"; sentence {number} moves it most, by {100 * most.change:+.1f} points"
    return line
