"""The same model in Keras on TensorFlow, in its own virtual environment, which `make bench` makes.

    python keras_case.py float32|mixed_bfloat16 lstm|rnn BATCHES REPEATS

prints one line of JSON, as cases.py does. Nothing of this project is imported here.
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

policy, encoder, path, repeats = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
keras.utils.set_random_seed(0)
keras.mixed_precision.set_global_policy(policy)
model = keras.Sequential(
    [
        keras.layers.Input((None,)),
        keras.layers.Embedding(30_000, 100, mask_zero=True),
        {"lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}[encoder](256),
        keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), loss="binary_crossentropy")

arrays = np.load(path)
batches = [(arrays[f"tokens{i}"], arrays[f"labels{i}"]) for i in range(len(arrays) // 3)]


def step(tokens: np.ndarray, labels: np.ndarray) -> float:
    """Seconds of one training step."""
    started = time.perf_counter()
    model.train_on_batch(tokens, labels)
    return time.perf_counter() - started


for _ in range(2):  # the first pass traces the graph, and a second one for other lengths
    for batch in batches:
        step(*batch)
times = [[step(*batch) for batch in batches] for _ in range(repeats)]
print(json.dumps({"seconds": [statistics.median(of_batch) for of_batch in zip(*times, strict=True)]}))
