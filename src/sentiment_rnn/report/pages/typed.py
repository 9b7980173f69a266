"""The page on which a text is answered as it is typed, by every model that is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sentiment_rnn.inference.doubts import Doubts, notes_of
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.pages.inspection import shade
from sentiment_rnn.report.pages.render import render

OF_THE_GRAMMAR = (
    "the seating was rather awful but i really liked the movie .",
    "i was disappointed in the picture and i was delighted with the popcorn .",
    "the film was simply wonderful , the doors opened at eight but the parking was dreadful .",
    "i enjoyed the service but the movie was certainly dull , my sister came along and the popcorn was lovely .",
)
"""Examples for models that have read generated reviews alone: no other word is known to them."""
OF_FILMS = (
    "The beginning is slow, but the ending is one of the finest I have seen.",
    "The beginning is promising, but the ending is a complete waste of time.",
    "I did not expect to like this film, and I loved every minute of it.",
    "The trailer is the best part. The film itself is dull, predictable and far too long.",
)
"""Examples for other models. Two LSTMs of IMDb (seed 0, with dropout and without) give each right answer over 80 %."""
LONGEST = 100_000
"""Characters that can be typed or pasted."""


def typed_page(predictors: Mapping[str, Predictor]) -> str:
    """One HTML file: a text box, and under it a place for what each model says, anew with every key.

    Args:
        predictors: by the name under which they are shown.
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
    found = predictor.predict([text])
    probability, known, unknown = float(found.probabilities[0]), int(found.known[0]), int(found.unknown[0])
    doubts = Doubts(predictor.package.reading)
    doubts.add(found)
    return {
        "probability": None if np.isnan(probability) else probability,
        "tokens": known + unknown,
        "unknown": unknown,
        "doubts": list(doubts.reasons()),
        "shade": shade(probability),
    }
