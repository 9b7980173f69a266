"""What people read: statistics, tables, figures, the comparison of a sweep, HTML pages."""
