"""One run: fit, choose on validation, test once, record; its place within an epoch; signals."""
