"""The studies: what a sweep or several of them say about a claim, in a table, a figure and a verdict."""

STUDIES = ("learning", "memory", "textbook", "gradient_flow", "gates", "length", "excerpt", "capacity")
"""Every study, in the order in which they build on each other; each a module here and a folder of experiments/."""
