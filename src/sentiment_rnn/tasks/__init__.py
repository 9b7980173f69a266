"""What is learnt: reviews, a language model, sequences; and what each records."""
