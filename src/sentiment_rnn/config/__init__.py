"""Settings of runs and commands: every key of `conf/`, its type, its bounds and its meaning.

YAML holds values; these classes refuse a misspelt key, a value of the wrong type and a value out of bounds before any
work starts.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFIGURATION = str(next(path for path in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if path.is_dir()))
"""`conf/`: in the package where a wheel was installed, else at the top of the checkout."""
