"""SOCKS proxies, which requests can use only with another package."""

import os

from yt8m_kit.errors import UsageError

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def check_socks(error: Exception) -> None:
    """Raise UsageError, naming the variable, if `error` is that of requests without PySocks."""
    if "SOCKS" not in str(error):
        return
    names = [name for upper in VARIABLES for name in (upper.lower(), upper)]
    given = [name for name in names if os.environ.get(name, "").lower().startswith("socks")]
    name = given[0] if given else "the system's settings"
    raise UsageError(
        f"the proxy in {name} is a SOCKS proxy, which needs the package PySocks: install it (python -m pip "
        f"install PySocks), or unset {name}."
    ) from None
