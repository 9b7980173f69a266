"""Where this package and `conf/` are."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFIGURATION = str(next(path for path in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if path.is_dir()))
"""In the package where a wheel was installed, else at the top of the checkout."""
