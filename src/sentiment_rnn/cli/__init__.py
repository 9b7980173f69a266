"""The command line: `sentiment-rnn COMMAND`, a file a command."""
