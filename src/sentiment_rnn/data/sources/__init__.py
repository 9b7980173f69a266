"""Where reviews come from: a class a source."""
