"""What studies share: their declaration, findings, restored models, groups of runs, spans, learning rates, the page."""
