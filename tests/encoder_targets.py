"""The encoders of this package."""

TARGETS = {
    "rnn": "encoders.Rnn", "rnn_relu": "encoders.ReluRnn", "rnn_leaky": "encoders.LeakyRnn", "gru": "encoders.Gru",
    "lstm": "encoders.Lstm", "lstm_no_forget": "ablations.LstmNoForget", "lstm_no_input": "ablations.LstmNoInput",
    "lstm_no_output": "ablations.LstmNoOutput", "lstm_coupled": "ablations.LstmCoupled",
    "lstm_gates_of_input": "ablations.LstmGatesOfInput", "bag": "encoders.Bag",
}  # fmt: skip
"""Classes of `sentiment_rnn.model`, by the encoder's name."""
