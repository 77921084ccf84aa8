"""Errors of a submission to Kaggle, by exit code."""

import socket
import ssl

from yt8m_kit.errors import KitError


class KaggleError(KitError):
    """A failed call or upload; the progress so far is kept."""


class AuthError(KaggleError):
    """No credentials, or none that Kaggle accepts."""

    exit_code = 3


class RulesError(KaggleError):
    """The account may not submit: rules not accepted, competition closed."""

    exit_code = 4


class NotFoundError(KaggleError):
    """No such competition or submission."""

    exit_code = 5


class LimitError(KaggleError):
    """Submission quota exhausted."""

    exit_code = 6


class UnavailableError(KaggleError):
    """No response, or one that cannot be parsed: network, overload, maintenance."""

    exit_code = 7


class SilentError(UnavailableError):
    """Timed out; the server may still be processing."""


class UploadError(KaggleError):
    """The upload failed."""

    exit_code = 8


class RejectedError(KaggleError):
    """Kaggle refused the submission, or could not score it."""

    exit_code = 9


class WaitError(KaggleError):
    """The submission was made and has no score yet."""

    exit_code = 10


class DoubtError(KaggleError):
    """The submission may have been made, and is not listed."""

    exit_code = 11


def root_cause(error: BaseException) -> str:
    """Root cause of a network error, without the URL, which may contain an upload's key."""
    if timed_out(error):
        return "timed out"
    bottom = _chain(error)[-1]
    if isinstance(bottom, ConnectionError | ssl.SSLError | socket.gaierror):
        return bottom.strerror or str(bottom)
    return type(bottom).__name__


def timed_out(error: BaseException) -> bool:
    """Whether a timeout caused the error."""
    return any(isinstance(each, TimeoutError) for each in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first; urllib3 sometimes keeps the cause in the arguments."""
    chain: list[BaseException] = []
    below: BaseException | None = error
    while below is not None and below not in chain:
        chain.append(below)
        around = (below.__cause__, below.__context__, *below.args)
        below = next((each for each in around if isinstance(each, BaseException)), None)
    return chain
