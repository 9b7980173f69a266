"""A trained run as people use it: text in, sentiment out."""
