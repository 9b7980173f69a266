"""A run's predictions on the test reviews, and how good they are."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from sentiment_rnn.errors import UserError

if TYPE_CHECKING:  # not at run time: reading the results of runs needs no torch, which takes a second to load
    from torch import Tensor


@dataclass(frozen=True)
class Predictions:
    """Predictions of a run, one entry per review, in the order of the split."""

    probabilities: np.ndarray
    """float32 [N], probability that the review is positive, at the run's temperature."""
    labels: np.ndarray
    """int8 [N], 1 positive."""
    lengths: np.ndarray
    """int64 [N], tokens of the whole review."""
    lags: np.ndarray
    """int32 [N], tokens from the deciding clause to the end; -1 where unknown."""
    logits: np.ndarray | None = None
    """float32 [N], before the temperature; None in runs without a temperature."""
    temperature: float = 1.0
    """Divisor of the logits, chosen on validation."""

    @property
    def correct(self) -> np.ndarray:
        """bool [N]."""
        return is_correct(self.probabilities, self.labels)

    @property
    def uncalibrated(self) -> np.ndarray:
        """float32 [N], the probabilities without the temperature."""
        if self.logits is None:
            return self.probabilities
        from torch import from_numpy

        return calibrate(from_numpy(self.logits), 1.0)

    @property
    def has_lags(self) -> bool:
        """Whether the place of the deciding clause is known in every review."""
        return bool((self.lags >= 0).all())

    def save(self, file: Path | BinaryIO) -> None:
        """Write the arrays, compressed and without pickle."""
        np.savez_compressed(file, **{name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a file that `save` wrote; raises `UserError` for any other."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                fields = {name: arrays[name] for name in arrays.files}
            return cls(**fields | {"temperature": float(fields.get("temperature", 1.0))})
        except Exception as error:  # ten kinds, depending on which byte is damaged
            raise UserError(f"{path}: not a run's predictions, or damaged ({error}); train again") from error


def is_correct(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """bool [N], whether a probability is on the side of its label; 0.5 counts as negative."""
    return np.asarray((probabilities > 0.5) == (labels == 1))


def surest_mistakes(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """int64 [≤ count], indices of probabilities on the wrong side, the furthest from 0.5 first."""
    wrong = np.flatnonzero(~is_correct(probabilities, labels))
    return np.asarray(wrong[np.argsort(-np.abs(probabilities[wrong] - 0.5), kind="stable")][:count])


def calibrate(logits: "Tensor", temperature: float) -> np.ndarray:
    """float32 [N], probabilities of float32 logits `[N]` at a temperature. The only place where they are computed."""
    # In float64: in float32 the last digit would depend on a number's position in the batch.
    return (logits.double() / temperature).sigmoid().float().numpy()
