"""What each command is for, with examples, and the keys that it takes."""

from typing import NamedTuple

TRACKING = "tracking."
TRACKING_KEYS = (TRACKING, "config/tracking.py", "TrackingConfig")
STORE = ("uri", "directory", "experiment")
"""Keys of `tracking` by which a command finds the runs that it reads."""
STORE_AND_FILES = (*STORE, "checkpoints")
"""… and their checkpoints."""
RUN_KEYS = (
    ("", "config/run.py", "RunConfig"),
    ("task.", "config/task.py", "SequenceTaskConfig"),
    ("data.", "config/data.py", "DataConfig"),
    ("embedding.", "config/model.py", "EmbeddingConfig"),
    ("encoder.", "config/model.py", "EncoderConfig"),
    ("pooling.", "config/model.py", "PoolingConfig"),
    ("optimizer.", "config/optimizer.py", "OptimizerConfig"),
    ("trainer.", "config/trainer.py", "TrainerConfig"),
    TRACKING_KEYS,
    ("hydra.sweeper.", "config/search.py", "SearchConfig"),
)
SOURCES = "data"
"""The group whose files name the classes that have its further keys."""
RUN_GROUPS = ("encoder", "data", "experiment", "task", "trainer", "optimizer", "pooling", "tracking")
USUAL_RUN_KEYS = (
    "study",
    "seed",
    "precision",
    "encoder.hidden_size",
    "encoder.layers",
    "encoder.bidirectional",
    "embedding.size",
    "data.batch_size",
    "optimizer.learning_rate",
    "trainer.epochs",
    "trainer.threads",
    "tracking.directory",
)


class Command(NamedTuple):
    """A command of `sentiment-rnn`."""

    purpose: str
    examples: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Of `conf/`."""
    keys: tuple[tuple[str, str, str], ...] = ()
    """Prefix, file and class of its keys; none for a command with options of its own."""
    of_tracking: tuple[str, ...] = ()
    """Keys of `tracking` that it has a use for; all where none are named."""
    usual: tuple[str, ...] = ()
    """The keys that its help shows, where all of them are more than a screen; none where the help shows all."""


COMMANDS = {
    "train": Command(
        "Train one encoder, or a sweep of them, and score it on the test data.",
        (
            "sentiment-rnn train encoder=lstm data=imdb",
            "sentiment-rnn train -m encoder=rnn,lstm seed=0,1,2 study=mine",
            "sentiment-rnn train data=files data.train=reviews.csv encoder=gru",
        ),
        RUN_GROUPS,
        RUN_KEYS,
        usual=USUAL_RUN_KEYS,
    ),
    "compare": Command(
        "Turn a sweep into a table with error bars, differences between encoders and a figure.",
        (
            "sentiment-rnn compare",
            "sentiment-rnn compare sweep=mine,more output=results register=true",
            "sentiment-rnn compare sweep=rnn_vs_lstm tracking.uri=http://127.0.0.1:5000",
        ),
        ("tracking",),
        (("", "config/commands.py", "CompareConfig"), TRACKING_KEYS),
        (*STORE_AND_FILES, "model"),
    ),
    "sync": Command("Send to the tracking server what runs could not send while it was away."),
    "runs": Command(
        "List the sweeps and single runs: state, best score, age and disk use.",
        (
            "sentiment-rnn runs",
            "sentiment-rnn runs sweep=mine tracking.directory=runs",
            "sentiment-rnn runs json=true",
        ),
        ("tracking",),
        (("", "config/commands.py", "RunsConfig"), TRACKING_KEYS),
        STORE_AND_FILES,
    ),
    "runs prune": Command(
        "Remove checkpoints that nobody needs; shows them first, yes=true deletes.",
        (
            "sentiment-rnn runs prune",
            "sentiment-rnn runs prune keep=none older_than_days=30",
            "sentiment-rnn runs prune sweep=mine keep=best yes=true",
        ),
        ("tracking",),
        (("", "config/commands.py", "PruneConfig"), TRACKING_KEYS),
        STORE_AND_FILES,
    ),
    "predict": Command("Say whether texts are positive."),
    "evaluate": Command("How good a trained model is on labelled texts of your own."),
    "inspect": Command("Look at one text as a trained model reads it, on an HTML page."),
    "serve": Command("Serve a trained model on 127.0.0.1, with a page to type texts into."),
}
