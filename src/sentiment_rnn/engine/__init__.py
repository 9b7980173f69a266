"""One run: fit, choose on validation, test once, record; resuming within an epoch; signals."""
