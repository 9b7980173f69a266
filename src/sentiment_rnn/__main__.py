"""`python -m sentiment_rnn` is `sentiment-rnn`."""

from sentiment_rnn.cli.main import main

if __name__ == "__main__":
    main()
