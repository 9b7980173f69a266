"""The packaged model as MLflow loads it: a data frame of texts in, a data frame of answers out."""

from pathlib import Path
from typing import Any

import pandas as pd

from sentiment_rnn.inference.package import read_package
from sentiment_rnn.inference.predictor import Predictor

TEXT = "text"
"""The column that is read."""


class SentimentModel:
    """The object that MLflow calls; the model itself is `predictor`."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """`text` → `label`, `probability` (of a positive text), `known_tokens`, `unknown_tokens`, one row per text;
        label and probability are None for a text without a token."""
        texts = [text if isinstance(text, str) else None for text in model_input[TEXT]]
        found = self.predictor.predict(texts)
        probabilities = pd.Series(found.probabilities.astype(float))
        missing = probabilities.isna()
        answers = pd.DataFrame(
            {
                "label": pd.Series(found.labels, dtype=object),
                # None and not NaN, which the scoring server would write as it is, and JSON has none.
                "probability": probabilities
                if not missing.any()
                else probabilities.astype(object).where(~missing, None),
                "known_tokens": found.known,
                "unknown_tokens": found.unknown,
            }
        )
        return answers.set_index(model_input.index)


def _load_pyfunc(path: str) -> SentimentModel:
    """Load a model from its `data_path`; the name is MLflow's."""
    return SentimentModel(Predictor(read_package(Path(path))))
