"""What studies share: their declaration and checks, what they measure, count, compare and draw."""
