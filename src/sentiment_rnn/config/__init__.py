"""Settings of runs and commands: every key of `conf/`, its type, its bounds and its meaning.

YAML holds values; these classes refuse a misspelt key, a value of the wrong type and a value out of bounds before any
work starts.
"""
