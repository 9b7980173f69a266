"""Shows results: statistics, tables, figures, the comparison of a sweep, HTML pages."""
