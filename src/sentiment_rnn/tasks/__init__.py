"""The tasks: reviews, language models and sequences, and what a run of each records."""
