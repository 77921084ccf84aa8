"""Signals that ask a process to end: Ctrl-C, and those of Slurm, Kubernetes and spot machines."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

ANNOUNCED = (signal.SIGTERM, signal.SIGUSR1)  # sent some seconds before a process is killed
ALL = (signal.SIGINT, *ANNOUNCED)
SOON = 0.05  # seconds


class TerminatedError(BaseException):
    """The process was asked to end. No Exception, like KeyboardInterrupt: handlers of errors let it pass."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """As a shell reports it."""
        return exit_code(self.number)


def exit_code(number: int) -> int:
    """Exit code of a process that was ended by a signal, as a shell reports it: 128 + number."""
    return 128 + number


class Request:
    """number: of the first signal that asked for an end, 0 if there was none."""

    number = 0

    def raise_again(self) -> None:
        """Raise what the signal would have raised: KeyboardInterrupt or TerminatedError."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number:
            raise TerminatedError(self.number)


@contextmanager
def raised(numbers: Sequence[signal.Signals] = ANNOUNCED) -> Iterator[None]:
    """Context in which the first of these signals raises TerminatedError; later ones are ignored.

    Where Python cannot pass an exception on, as in callbacks of the garbage collector, it is raised again.
    """

    def stop(number: int, _: Any) -> None:
        for each in numbers:
            signal.signal(each, lambda *_: None)
        raise TerminatedError(number)

    with _handled(stop, numbers), _raised_again() as lost:
        yield
        lost.raise_again()


@contextmanager
def _raised_again() -> Iterator[Request]:
    """Context in which a TerminatedError that Python has dropped is raised again, a little later."""
    lost, former = Request(), sys.unraisablehook

    def again(dropped: Any) -> None:
        if isinstance(dropped.exc_value, TerminatedError):
            lost.number = dropped.exc_value.number
            signal.signal(signal.SIGALRM, lambda *_: lost.raise_again())
            signal.setitimer(signal.ITIMER_REAL, SOON)
        else:
            former(dropped)

    alarm = signal.getsignal(signal.SIGALRM)
    sys.unraisablehook = again
    try:
        yield lost
    finally:
        sys.unraisablehook = former
        if lost.number:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)


@contextmanager
def noted() -> Iterator[Request]:
    """Context in which the first signal is noted, so that a step completes; a second Ctrl-C is raised."""
    request = Request()

    def note(number: int, _: Any) -> None:
        request.number = request.number or number
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    with _handled(note, ALL):
        yield request


@contextmanager
def passed_on(send: Callable[[int], None]) -> Iterator[Request]:
    """Context in which signals are passed on to other processes, and the first one is noted."""
    request = Request()

    def note(number: int, _: Any) -> None:
        request.number = request.number or number
        send(number)

    with _handled(note, ALL):
        yield request


@contextmanager
def _handled(handler: Callable[[int, Any], None], numbers: Sequence[signal.Signals]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former or signal.SIG_DFL)
