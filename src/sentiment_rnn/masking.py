"""Secrets taken out of all that is written: messages, log lines, recorded configurations.

A secret is what stands before the @ of an address, and what follows `password=`, `token=` and the like. So is what
MLflow's variables for passwords and tokens hold.
"""

import logging
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

MASK = "***"
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
SHORTEST = 6
"""Characters of a variable's value below which it is not looked for: it would be found in ordinary words."""
# No pattern begins with a repetition: from each character of a long word it would read the word to its end.
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s'\"<>]*@")
_NAMES = r"(?:password|passwd|pwd|token|secret|secret[_-]key|access[_-]key|api[_-]?key)"
_NAMED = re.compile(rf"({_NAMES}['\"]?\s*[=:]\s*)([^\s&,;'\"}}\])]+|'[^']*'|\"[^\"]*\")", re.IGNORECASE)
_NAME = re.compile(rf"{_NAMES}$", re.IGNORECASE)
_WORD = re.compile(rf"({_NAMES}=).+", re.IGNORECASE | re.DOTALL)


def masked(text: str) -> str:
    """The text with `***` in place of every secret that can be told from its place or its value."""
    for name in VARIABLES:
        if len(value := os.environ.get(name, "")) >= SHORTEST:
            text = text.replace(value, MASK)
    return _NAMED.sub(rf"\1{MASK}", _IN_ADDRESS.sub(f"{MASK}@", text))


def masked_command(words: Iterable[str]) -> str:
    """A command line, without secrets: of a word `password=…` all behind the sign, with its quotes and spaces."""
    return shlex.join(_WORD.sub(rf"\1{MASK}", masked(word)) for word in words)


def masked_settings(settings: Any) -> Any:
    """Plain values of a configuration, without secrets: neither in texts nor under keys that are named as one."""
    if isinstance(settings, Mapping):
        return {
            key: MASK if value is not None and _NAME.search(str(key)) else masked_settings(value)
            for key, value in settings.items()
        }
    if isinstance(settings, list | tuple):
        return [masked_settings(value) for value in settings]
    return masked(settings) if isinstance(settings, str) else settings


def mask_file(path: Path) -> None:
    """Take secrets out of a text file that another program has written, where it has any."""
    if path.exists() and masked(text := path.read_text(encoding="utf-8")) != text:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(masked(text), encoding="utf-8")
        temporary.replace(path)


def mask_output() -> None:
    """Mask every log line of this process, also those of libraries, and the traceback of an error that ends it."""
    if logging.getLogRecordFactory() is not _masked_record:
        logging.setLogRecordFactory(_masked_record)
        sys.excepthook = _masked_traceback


def _masked_record(*arguments: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **named)
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # a library's mistake, which logging itself reports
        return record
    if (shown := masked(text)) != text:
        record.msg, record.args = shown, ()
    if record.exc_info and record.exc_info[0]:
        # What a formatter uses instead of formatting the error itself.
        record.exc_text = masked("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    return record


def _masked_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(masked("".join(traceback.format_exception(kind, error, trace))))
