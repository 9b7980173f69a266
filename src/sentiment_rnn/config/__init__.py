"""What a run or a command can be told: every key of `conf/`, its type, its bounds and what it means.

YAML holds values; these classes refuse a misspelt key, a value of the wrong type and a value out of bounds before any
work starts.
"""
