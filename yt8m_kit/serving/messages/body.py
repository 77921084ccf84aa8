"""The body of an HTTP request, as it arrives."""

from collections.abc import Awaitable, Callable
from typing import Any

from yt8m_kit.serving.messages.refusal import RefusalError

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Body:
    """Reads the body of an ASGI request."""

    def __init__(self, receive: Receive):
        self._receive, self._is_over = receive, False

    async def read(self, most: int) -> bytes:
        """Read the body. Raises RefusalError: 413 beyond `most` bytes, 400 if the client leaves."""
        parts: list[bytes] = []
        left = most
        while not self._is_over:
            parts.append(await self._next())
            left -= len(parts[-1])
            if left < 0:
                raise RefusalError(413, f"a request must have at most {most:,} bytes.")
        return b"".join(parts)

    async def discard(self) -> None:
        """Read what is left and drop it, so that the client, which may still be sending, gets its answer."""
        while not self._is_over:
            await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._is_over = True
            raise RefusalError(400, "the client has left.")
        self._is_over = not message.get("more_body", False)
        content: bytes = message.get("body", b"")
        return content
