"""`python -m sentiment_rnn` is `sentiment-rnn`; it finds modules of the current folder, too."""

from sentiment_rnn.cli.main import main

if __name__ == "__main__":
    main()
