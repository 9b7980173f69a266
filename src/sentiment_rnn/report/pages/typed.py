"""A page on which a text is answered as it is typed, by every model that is given."""

import os
from collections.abc import Mapping
from html import escape

import numpy as np

from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.pages.inspection import shade

# Before Gradio is imported: it would report to its makers, and ask whether there is a newer one.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

EXAMPLES = (
    "I really liked the movie but I was disappointed in the service and cleanliness of the cinema.",
    "I was disappointed in the service and cleanliness of the cinema but I really liked the movie.",
    "not bad at all",
    "The first hour is brilliant. Then the story falls apart and nothing saves it.",
)
STYLE = """
:root { --negative: 213, 94, 0; --positive: 0, 114, 178; }
.gradio-container { max-width: 60rem !important; margin: 0 auto !important; }
.answer { margin: 0 0 1rem; }
.answer b { display: inline-block; min-width: 5rem; }
.answer .bar { position: relative; height: 1.8rem; margin-top: .2rem; overflow: hidden; }
.answer .bar { border: 1px solid var(--border-color-primary); border-radius: 4px; }
.answer .bar div { position: absolute; inset: 0 auto 0 0; border-right: 2px solid currentColor; }
footer { display: none !important; }
"""


def build_page(predictors: Mapping[str, Predictor]) -> gr.Blocks:
    """A text box, and under it what each model says, anew with every key.

    Args:
        predictors: by the name under which they are shown.
    """

    def answer(text: str) -> str:
        return "".join(_answer(name, predictor, text) for name, predictor in predictors.items())

    with gr.Blocks(title="Is it positive?") as page:
        gr.Markdown(
            "# Is it positive?\n"
            "Type a review in English. The bars say how probable it is that it is positive, as each model reads what "
            "stands there so far."
        )
        text = gr.Textbox(label="A review", lines=4, placeholder="The film …", autofocus=True, max_length=100_000)
        answers = gr.HTML(answer(""), elem_id="answers")
        gr.Examples([[example] for example in EXAMPLES], text, label="Or one of these")
        # "always_last": keys that are pressed while it answers are answered together, so that it never falls behind.
        text.change(answer, text, answers, trigger_mode="always_last", show_progress="hidden", api_visibility="private")
    return page


def _answer(name: str, predictor: Predictor, text: str) -> str:
    found = predictor.predict([text])
    probability, known, unknown = float(found.probabilities[0]), int(found.known[0]), int(found.unknown[0])
    if np.isnan(probability):
        return f'<div class="answer" data-model="{escape(name)}"><b>{escape(name)}</b> waits for a word</div>'
    percent = f"{100 * probability:.1f}"
    words = f"{known + unknown} tokens" + (f", {unknown} of them unknown" if unknown else "")
    return (
        f'<div class="answer" data-model="{escape(name)}"><b>{escape(name)}</b> {percent} % positive '
        f"<small>({words})</small>"
        f'<div class="bar"><div style="width: {percent}%; background: {shade(probability)}"></div></div></div>'
    )
