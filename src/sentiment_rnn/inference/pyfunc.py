"""The packaged model as MLflow loads it: a data frame of texts in, a data frame of answers out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentiment_rnn.inference.package import read_package
from sentiment_rnn.inference.predictor import Predictor


class SentimentModel:
    """The object that MLflow calls; the model itself is `predictor`."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """`text` → `label`, `probability` (of a positive text), `known_tokens`, `unknown_tokens`, one row per text;
        label and probability are None for a text without a token."""
        sentiments = self.predictor.predict([text if isinstance(text, str) else None for text in model_input["text"]])
        answers = pd.DataFrame(
            {
                "label": pd.Series(sentiments.labels, dtype=object),
                "probability": sentiments.probabilities.astype(float),
                "known_tokens": sentiments.known,
                "unknown_tokens": sentiments.unknown,
            }
        )
        # None, since JSON has no NaN, and the scoring server would write NaN unchanged.
        return answers.replace({np.nan: None}).set_index(model_input.index)


def _load_pyfunc(path: str) -> SentimentModel:
    """Load a model from its `data_path`; the name is MLflow's."""
    return SentimentModel(Predictor(read_package(Path(path))))
