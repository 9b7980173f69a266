"""Reviews in, batches of token ids out."""
