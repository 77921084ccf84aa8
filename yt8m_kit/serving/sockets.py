"""The socket of a server."""

import errno
import ipaddress
import socket

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress


def listening(host: str, port: int) -> socket.socket:
    """Open the socket of a server; port 0: any that is free.

    Raises UsageError for a host that is not this machine's, KitError if the port cannot be taken.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise UsageError(f"--host must be an address of this machine; got {host!r}: {error}.") from None
    # Where the protocol is given, asyncio sends small answers at once (TCP_NODELAY), rather than after 40 ms.
    opened = socket.socket(family, kind, protocol)
    if not ipaddress.ip_address(address[0]).is_loopback:
        progress.say(f"{host} is open to other machines: whoever reaches it can use the server.")
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"--host must be an address of this machine; got {host!r}.") from None
        raise KitError(
            f"cannot listen at {host}, port {port}: {error.strerror}. Take another one with --port; "
            "0 is any that is free."
        ) from None
    return opened


def url_of(opened: socket.socket) -> str:
    """Return the address of a socket that listens, as http://HOST:PORT."""
    host, port = opened.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
