"""What studies share: how they are declared and checked; what they measure, count and draw; restored models; the page."""
