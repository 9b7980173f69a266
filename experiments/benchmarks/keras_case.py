"""Times the same model in Keras on TensorFlow, in a virtual environment of its own, which `make bench` creates.

    python keras_case.py '{"encoder": "lstm", "policy": "float32", "B": 64, "T": 250, "H": 256, "E": 100}'

prints the median seconds of a training step. The policy is `float32` or `mixed_bfloat16`. This file imports nothing of
this project.
"""

import json
import os
import statistics
import sys
import timeit

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

case = json.loads(sys.argv[1])
keras.utils.set_random_seed(0)
keras.mixed_precision.set_global_policy(case["policy"])
model = keras.Sequential(
    [
        keras.layers.Input((None,)),
        keras.layers.Embedding(30_000, case["E"], mask_zero=True),
        {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}[case["encoder"]](case["H"]),
        keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), loss="binary_crossentropy")
random = np.random.default_rng(0)
tokens, labels = random.integers(2, 30_000, (case["B"], case["T"])), random.integers(0, 2, case["B"])
step = timeit.Timer(lambda: model.train_on_batch(tokens, labels))
step.timeit(2)  # the first call traces the graph
print(statistics.median(step.repeat(7, 1)))
