"""Results for people: statistics, tables, figures, the comparison of a sweep, HTML pages."""
