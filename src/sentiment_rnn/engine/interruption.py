"""Signals that ask a run to end: Ctrl-C, a scheduler's warning. The run writes a checkpoint first."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
]


class Interruption:
    """Records a signal that asks this process to end, within a `with` block.

    While `deferred` is set, the training loop writes a checkpoint and then ends the run. At other times, and at a
    second signal, the run ends at once. An earlier handler, such as a scheduler's, is called in the end.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # only the main thread can set handlers
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def listen(self) -> None:
        """Set the handlers, except for signals that this process ignores. Called again after Lightning has set handlers
        of its own, which it also does for ignored signals."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_IGN else self._note)

    def end(self) -> None:
        """End as the signal asked: call the earlier handler, which may let the process go on, or raise
        `KeyboardInterrupt` if there was none."""
        number, self.signal = self.signal, None
        handler: Callable[[int | None, FrameType | None], Any] | int | None = self._before.get(number or 0)
        if callable(handler):
            handler(number, None)
        else:
            raise KeyboardInterrupt

    def _note(self, number: int, _: FrameType | None) -> None:
        second = self.signal is not None
        self.signal = number
        if second or not self.deferred:
            self.end()
