"""What can go wrong between here and Kaggle: one line each, and an exit code of its own."""

import socket
import ssl

from yt8m_kit.errors import KitError


class KaggleError(KitError):
    """Kaggle did not do as asked; what was done before is kept."""


class AuthError(KaggleError):
    """No credentials, or none that Kaggle accepts."""

    exit_code = 3


class RulesError(KaggleError):
    """The account may not take part: rules not accepted, competition closed."""

    exit_code = 4


class NotFoundError(KaggleError):
    """No such competition or submission."""

    exit_code = 5


class LimitError(KaggleError):
    """No submission left for now."""

    exit_code = 6


class UnavailableError(KaggleError):
    """No answer, or one that cannot be read: network, overload, maintenance."""

    exit_code = 7


class SilentError(UnavailableError):
    """No answer in time: Kaggle may be at it still."""


class UploadError(KaggleError):
    """The file did not get through."""

    exit_code = 8


class RejectedError(KaggleError):
    """Kaggle has refused the submission, or could not score it."""

    exit_code = 9


class WaitError(KaggleError):
    """The submission is in, its score is not there yet."""

    exit_code = 10


class DoubtError(KaggleError):
    """Whether the submission exists could not be found out."""

    exit_code = 11


def root_cause(error: BaseException) -> str:
    """What lies at the bottom of a network error, without the URL: that may hold the key to an upload."""
    if timed_out(error):
        return "no answer in time"
    bottom = _chain(error)[-1]
    if isinstance(bottom, ConnectionError | ssl.SSLError | socket.gaierror):
        return bottom.strerror or str(bottom)
    return type(bottom).__name__


def timed_out(error: BaseException) -> bool:
    """Whether it was the time that ran out."""
    return any(isinstance(each, TimeoutError) for each in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what it was made from, in turn; urllib3 puts that into the arguments at times."""
    chain: list[BaseException] = []
    below: BaseException | None = error
    while below is not None and below not in chain:
        chain.append(below)
        around = (below.__cause__, below.__context__, *below.args)
        below = next((each for each in around if isinstance(each, BaseException)), None)
    return chain
