"""Requests that are refused."""


class RefusalError(Exception):
    """A request that gets no prediction; `status` is HTTP's, the message says why and what is allowed."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
