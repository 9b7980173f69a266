"""The encoders of this package."""

TARGETS = {
    "rnn": "sentiment_rnn.model.encoders.rnn.Rnn", "rnn_relu": "sentiment_rnn.model.encoders.rnn.ReluRnn",
    "gru": "sentiment_rnn.model.encoders.gru.Gru", "lstm": "sentiment_rnn.model.encoders.lstm.Lstm",
    "bag": "sentiment_rnn.model.encoders.bag.Bag",
}  # fmt: skip
"""Classes by the encoder's name."""
