"""The encoders of this package."""

TARGETS = {
    "rnn": "sentiment_rnn.model.encoders.rnn.Rnn", "rnn_relu": "sentiment_rnn.model.encoders.rnn.ReluRnn",
    "gru": "sentiment_rnn.model.encoders.gru.Gru", "lstm": "sentiment_rnn.model.encoders.lstm.Lstm",
    "bag": "sentiment_rnn.model.encoders.bag.Bag", "min_gru": "sentiment_rnn.model.encoders.min_rnn.MinGru",
    "min_lstm": "sentiment_rnn.model.encoders.min_rnn.MinLstm", "lru": "sentiment_rnn.model.encoders.lru.Lru",
    "slstm": "sentiment_rnn.model.encoders.slstm.SLstm",
    "rnn_orthogonal": "sentiment_rnn.model.encoders.rnn.OrthogonalRnn",
}  # fmt: skip
"""Classes by the encoder's name."""
