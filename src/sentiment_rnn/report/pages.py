"""HTML pages from templates. Each page is one file that contains its style and data, so that it needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

from sentiment_rnn.inference.predictor import Doubts, Predictor, notes_of
from sentiment_rnn.inference.probes import UNITS, Inspection

_ENVIRONMENT = Environment(
    loader=PackageLoader("sentiment_rnn.report", "templates"),
    autoescape=True,  # the pages show texts of strangers
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
OF_THE_GRAMMAR = (
    "the seating was rather awful but i really liked the movie .",
    "i was disappointed in the picture and i was delighted with the popcorn .",
    "the film was simply wonderful , the doors opened at eight but the parking was dreadful .",
    "i enjoyed the service but the movie was certainly dull , my sister came along and the popcorn was lovely .",
)
"""Examples for models that have read only generated reviews, and know no other words."""
OF_FILMS = (
    "The beginning is slow, but the ending is one of the finest I have seen.",
    "The beginning is promising, but the ending is a complete waste of time.",
    "I did not expect to like this film, and I loved every minute of it.",
    "The trailer is the best part. The film itself is dull, predictable and far too long.",
)
"""Examples for other models. Two LSTMs trained on IMDb (seed 0, with and without dropout) give each right answer a
probability above 80 %."""
LONGEST = 100_000
"""Most characters that can be typed or pasted."""


def render(template: str, folder: Path | None = None, **values: Any) -> str:
    """The HTML of a template in this folder, or in another folder; that one can include templates of this folder."""
    here = _ENVIRONMENT.loader
    assert here
    loader = ChoiceLoader([FileSystemLoader(folder), here]) if folder else here
    return _ENVIRONMENT.overlay(loader=loader).get_template(template).render(**values)


def rounded(values: np.ndarray, digits: int) -> list[Any]:
    """Numbers for JSON, rounded to the digits that a page shows."""
    return list(np.round(values.astype(float), digits).tolist())


def inspection_page(inspections: Sequence[Inspection]) -> str:
    """One HTML file: the text coloured by the running sentiment, the gates, and the effect of each sentence."""
    numbers = [
        {
            "running": rounded(inspection.running, 4),
            "gates": {name: rounded(values, 2) for name, values in inspection.gates.items()},
        }
        for inspection in inspections
    ]
    return render(
        "inspection.html.jinja",
        inspections=inspections,
        numbers=numbers,
        shade=shade,
        units=UNITS,
    )


def shade(probability: float) -> str:
    """CSS colour of a probability: blue above 0.5, orange below, stronger towards 0 and 1."""
    if np.isnan(probability):
        return "none"
    strength = min(0.75, abs(probability - 0.5) * 1.5)
    return f"rgba(var(--{'negative' if probability < 0.5 else 'positive'}), {strength:.2f})"


def typed_page(predictors: Mapping[str, Predictor]) -> str:
    """One HTML file: a text box, and below it the answer of each model, which is renewed with every key.

    Args:
        predictors: models by the names under which they are shown.
    """
    readings = [predictor.package.reading for predictor in predictors.values()]
    generated = all(reading.data == "generated" for reading in readings)
    return render(
        "typed.html.jinja",
        names=list(predictors),
        notes=sorted({note for reading in readings for note in notes_of(reading)}),
        examples=OF_THE_GRAMMAR if generated else OF_FILMS,
        longest=LONGEST,
    )


def answers(predictors: Mapping[str, Predictor], text: str) -> list[dict[str, Any]]:
    """Answers of the models to a text, for the page: one object per model."""
    return [{"name": name, **_answer(predictor, text)} for name, predictor in predictors.items()]


def _answer(predictor: Predictor, text: str) -> dict[str, Any]:
    sentiments = predictor.predict([text])
    probability, known, unknown = (column[0].item() for column in sentiments)
    doubts = Doubts(predictor.package.reading)
    doubts.add(sentiments)
    return {
        "probability": None if np.isnan(probability) else probability,
        "tokens": known + unknown,
        "unknown": unknown,
        "doubts": list(doubts.reasons()),
        "shade": shade(probability),
    }
