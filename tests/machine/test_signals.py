"""Signals that arrive where Python drops exceptions still end the work."""

import gc
import os
import signal
import time

import pytest

from yt8m_kit.machine import signals


class Sent:
    """Sends a signal to this process, once, from where exceptions are dropped."""

    def __init__(self, number):
        self.number = number

    def __call__(self, *_):
        number, self.number = self.number, 0
        if number:
            os.kill(os.getpid(), number)
            time.sleep(0.01)

    __del__ = __call__


@pytest.fixture
def collected():
    """A function that sends a signal from a callback of the garbage collector."""
    sent = Sent(0)

    def collect(number):
        sent.number = number
        gc.collect()

    gc.callbacks.append(sent)
    yield collect
    gc.callbacks.remove(sent)


def ended(send, seconds=0.0):
    """The TerminatedError of work that sends a signal and goes on for some seconds, and how long it took."""
    start = time.monotonic()
    try:
        with signals.raised():
            send()
            time.sleep(seconds)
    except signals.TerminatedError as stop:
        return stop.number, time.monotonic() - start
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_in_a_callback_of_the_garbage_collector_is_not_lost(number, collected, capsys):
    found, seconds = ended(lambda: collected(number), 10)
    assert found == number
    assert seconds < 5
    assert capsys.readouterr().err == ""


def test_a_signal_in_a_destructor_is_not_lost():
    assert ended(lambda: str(Sent(signal.SIGTERM)), 10)[1] < 5


def test_a_signal_that_was_dropped_just_before_the_end_is_not_lost(collected):
    assert ended(lambda: collected(signal.SIGTERM))[0] == signal.SIGTERM


def test_handlers_are_as_before_afterwards(collected):
    numbers = (signal.SIGALRM, *signals.ALL)
    before = [signal.getsignal(each) for each in numbers]
    assert ended(lambda: collected(signal.SIGTERM))
    assert [signal.getsignal(each) for each in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
