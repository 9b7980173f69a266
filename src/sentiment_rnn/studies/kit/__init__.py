"""What studies share: their declaration and checks, what they measure, count and draw, restored models, the page."""
