"""Whoever sends a signal is promised a checkpoint first, and a scheduler that its own handler has the last word."""

import os
import signal
from collections.abc import Iterator

import pytest

from sentiment_rnn.engine.interruption import SIGNALS, Interruption


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Start from the system's handlers, also under `nohup`, and put back what was there."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_while_deferred_and_a_second_one_ends_at_once(number: signal.Signals) -> None:
    with Interruption() as interruption:
        interruption.deferred = True
        os.kill(os.getpid(), number)
        assert interruption.signal == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_a_schedulers_handler_is_called_at_the_end_and_may_go_on() -> None:
    seen = []
    signal.signal(signal.SIGUSR2, lambda number, _: seen.append(number))
    with Interruption() as interruption:
        interruption.deferred = True
        os.kill(os.getpid(), signal.SIGUSR2)
        assert not seen
        interruption.end()
        assert seen == [signal.SIGUSR2]
        assert interruption.signal is None
    os.kill(os.getpid(), signal.SIGUSR2)
    assert len(seen) == 2  # it is back in its place


def test_an_ignored_signal_stays_so_where_another_library_takes_it_in_between() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with Interruption() as interruption:
        signal.signal(signal.SIGTERM, lambda *_: pytest.fail("Lightning's handler ends the run"))
        interruption.listen()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.signal is None
