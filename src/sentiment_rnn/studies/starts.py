"""The encoders that the studies start differently: their names in tables and figures, and their colours."""

from mlflow.entities import Run

LABELS = {
    "rnn_uniform": "RNN, uniform",
    "rnn": "RNN, orthogonal",
    "rnn_identity": "RNN, identity",
    "lstm_forget_0": "LSTM, forget bias 0",
    "lstm": "LSTM, forget bias 1",
    "lstm_forget_3": "LSTM, forget bias 3",
    "lstm_forget_5": "LSTM, forget bias 5",
    "lstm_chrono": "LSTM, chrono",
    "bag": "bag of words",
}
# Within an encoder from light to dark: the start that forgets soonest is the lightest.
COLORS = {
    "rnn_uniform": "#F2A65E", "rnn": "#D55E00", "rnn_identity": "#7A3400",
    "lstm_forget_0": "#9CC9E8", "lstm": "#4FA3D9", "lstm_forget_3": "#0072B2", "lstm_forget_5": "#003F63",
    "lstm_chrono": "#009E73", "bag": "#7A7A7A",
}  # fmt: skip


def start_of(encoder: str) -> str:
    """`forget bias 1`, an encoder's start alone."""
    return LABELS[encoder].split(", ")[1]


def seed_of(run: Run) -> int:
    """The seed of a run."""
    return int(run.data.params["seed"])


def distance_of(run: Run) -> int:
    """Tokens from the clause to the end in the reviews of a run; the most of them where they differ."""
    return int(run.data.params["data.max_distance"])


def by_start(runs: list[Run]) -> dict[str, list[Run]]:
    """The runs of each encoder, in the order of `LABELS`, by seed."""
    groups: dict[str, list[Run]] = {name: [] for name in LABELS}
    for run in sorted(runs, key=seed_of):
        groups[run.data.params["encoder.name"]].append(run)
    return {name: group for name, group in groups.items() if group}
