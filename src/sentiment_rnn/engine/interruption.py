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
    """Notes the signal that asks this process to end, within `with`.

    While it is `deferred`, the training loop ends the run when it has written a checkpoint. At other times, and at a
    second signal, the run ends at once. A handler that was there before, a scheduler's say, has the last word.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # Python gives no other thread a handler
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def listen(self) -> None:
        """Take the signals but those that this process ignores; again where Lightning has put handlers of its own in
        between, also for ignored ones."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_IGN else self._note)

    def end(self) -> None:
        """End as the signal asked: by the handler that was there, which may also decide to go on, else by
        `KeyboardInterrupt`."""
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
