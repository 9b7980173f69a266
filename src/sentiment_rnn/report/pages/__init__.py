"""HTML pages: templates, and what turns numbers into one file that needs no network."""
