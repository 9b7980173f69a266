"""The page of one text, as one model read it or two."""

from collections.abc import Sequence

import numpy as np

from sentiment_rnn.probes.inspection import UNITS, Inspection
from sentiment_rnn.report.pages.render import render, rounded


def inspection_page(inspections: Sequence[Inspection]) -> str:
    """One HTML file: the text coloured by the running sentiment, gates, and what each sentence does."""
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
    """CSS colour of a probability: blue above a half, orange below, stronger towards the ends."""
    if np.isnan(probability):
        return "none"
    strength = min(0.75, abs(probability - 0.5) * 1.5)
    return f"rgba(var(--{'negative' if probability < 0.5 else 'positive'}), {strength:.2f})"
