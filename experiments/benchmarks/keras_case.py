"""The same model in Keras on TensorFlow, in its own virtual environment, which `make bench` makes.

    python keras_case.py '{"name": "float32", "encoder": "lstm", "batches": "64.npz", "repeats": 3}'

prints one line of JSON, as cases.py does; the name is a policy, `float32` or `mixed_bfloat16`.
Nothing of this project is imported here.
"""

import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

case = json.loads(sys.argv[1])
keras.utils.set_random_seed(0)
keras.mixed_precision.set_global_policy(case["name"])
model = keras.Sequential(
    [
        keras.layers.Input((None,)),
        keras.layers.Embedding(30_000, 100, mask_zero=True),
        {"lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}[case["encoder"]](256),
        keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), loss="binary_crossentropy")

arrays = list(np.load(case["batches"]).values())  # tokens, lengths and labels of each batch
batches = list(zip(arrays[::3], arrays[2::3], strict=True))


def step(tokens: np.ndarray, labels: np.ndarray) -> float:
    """Seconds of one training step."""
    started = time.perf_counter()
    model.train_on_batch(tokens, labels)
    return time.perf_counter() - started


for _ in range(2):  # the first pass traces the graph, and a second one for other lengths
    for batch in batches:
        step(*batch)
times = [[step(*batch) for batch in batches] for _ in range(case["repeats"])]
print(json.dumps({"seconds": [statistics.median(of_batch) for of_batch in zip(*times, strict=True)]}))
