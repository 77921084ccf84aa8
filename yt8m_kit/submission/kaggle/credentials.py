"""Sources of Kaggle credentials, in the order of precedence of the kaggle package (2.2.4).

1. KAGGLE_API_TOKEN (a token, or a file with one), ~/.kaggle/access_token, ~/.kaggle/access_token.txt
2. KAGGLE_USERNAME and KAGGLE_KEY, each replacing its value in kaggle.json, which is in KAGGLE_CONFIG_DIR or
   ~/.kaggle or, on Linux if there is no ~/.kaggle, in $XDG_CONFIG_HOME/kaggle (by default ~/.config/kaggle)
3. ~/.kaggle/credentials.json of `kaggle auth login`
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from yt8m_kit.submission.kaggle.errors import AuthError

TOKEN_FILES = ("~/.kaggle/access_token", "~/.kaggle/access_token.txt")
OAUTH_FILE = "~/.kaggle/credentials.json"
HOW = (
    "Create a token at https://www.kaggle.com/settings/api and store it in KAGGLE_API_TOKEN or "
    "~/.kaggle/access_token (chmod 600), or run: kaggle auth login."
)


class Source(NamedTuple):
    """One source of credentials. name: for messages. file: None for variables.

    fault: why it cannot be used, empty if it can. secrets: to be masked in messages.
    """

    kind: Literal["token", "key", "oauth"]
    name: str
    file: Path | None = None
    fault: str = ""
    secrets: tuple[str, ...] = ()


class Credentials(NamedTuple):
    """The source in use and those it overrides."""

    used: Source
    overridden: tuple[Source, ...]

    def __str__(self) -> str:
        names = " and ".join(source.name for source in self.overridden)
        return f"{self.used.name} (overrides {names})" if names else self.used.name

    def readable_by_others(self) -> bool:
        """Whether other users of the machine may read the file in use."""
        file = self.used.file
        return file is not None and bool(file.stat().st_mode & 0o044)

    def refused(self, said: str) -> AuthError:
        """The error for credentials that Kaggle does not accept; said: its reason."""
        mixed = self.used.file is not None and str(self.used.file) != self.used.name
        if mixed:
            advice = "User name and key must belong to one account: set both variables or neither."
        else:
            advice = "Unset or remove it, or renew it." if self.overridden else "Renew it."
        return AuthError(f"Kaggle does not accept the credentials in {self}: {said}. {advice} {HOW}")


def find(config: Path) -> Credentials:
    """The credentials in use. config: path of the client's kaggle.json.

    Raises AuthError if there are none, or if the first source cannot be read.
    """
    found = [*_token(), *_key(config), *_oauth()]
    if not found:
        raise AuthError(
            f"no Kaggle credentials: no token, no {config}, no {OAUTH_FILE}.{_ignored(config)} {HOW}"
        )
    if found[0].fault:
        raise AuthError(f"{found[0].name} {found[0].fault}. Fix or remove it. {HOW}")
    return Credentials(found[0], tuple(found[1:]))


def _ignored(config: Path) -> str:
    """A sentence on a kaggle.json in ~/.config/kaggle, which the client ignores once ~/.kaggle exists."""
    other = Path(os.environ.get("XDG_CONFIG_HOME") or _home("~/.config")) / "kaggle" / config.name
    return f" {other} is ignored, as {config.parent} exists." if other != config and other.exists() else ""


def _token() -> Iterator[Source]:
    """Access tokens, by the client's own function."""
    from kagglesdk.kaggle_env import get_access_token_from_env

    variable = bool(os.environ.get("KAGGLE_API_TOKEN"))
    try:
        token, name = get_access_token_from_env()
        files = [
            path
            for path in map(_home, TOKEN_FILES)
            if path.exists() and path.read_text(encoding="utf-8").strip()
        ]
    except (OSError, ValueError) as error:
        # Its text may hold the token, which the client tries as a path first.
        name = "KAGGLE_API_TOKEN" if variable else TOKEN_FILES[0]
        yield Source("token", name, fault=f"contains no readable token ({type(error).__name__})")
        return
    if token and name == "access_token":
        yield Source("token", str(files[0]), files[0], secrets=(token,))
        return
    if name:
        fault = "" if token else "names a file that is empty"
        yield Source("token", name, fault=fault, secrets=(token,) if token else ())
    for file in files[:1]:
        yield Source("token", str(file), file)


def _key(config: Path) -> Iterator[Source]:
    """User name and key: those of kaggle.json, each replaced by its variable if that is set."""
    variables = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
    given = {field: os.environ[name] for field, name in variables.items() if name in os.environ}
    names = [variables[field] for field in given]
    empty = [variables[field] for field, value in given.items() if not value]
    if empty:
        yield Source("key", empty[0], fault="is set but empty")
    elif len(given) == 2:
        yield Source("key", " and ".join(names), secrets=(given["key"],))
    if config.exists():
        values, fault = _read(config, given if len(given) == 1 else {})
        name = " and ".join([*names, str(config)] if len(given) == 1 else [str(config)])
        secrets = (values["key"],) if values else ()
        yield Source("key", name, config, fault=fault, secrets=secrets)
    elif len(given) == 1:
        missing = next(name for field, name in variables.items() if field not in given)
        yield Source("key", names[0], fault=f"is set without {missing}")


def _read(config: Path, given: dict[str, str]) -> tuple[dict[str, str], str]:
    """User name and key of kaggle.json, updated by those given, and what is wrong with the file.

    The client silently ignores a damaged file.
    """
    try:
        values: Any = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {}, f"cannot be read as JSON ({type(error).__name__})"
    if not isinstance(values, dict):
        return {}, 'must hold {"username": ..., "key": ...}'
    values = values | given
    for field in ("username", "key"):
        if not (isinstance(values.get(field), str) and values[field]):
            return {}, f'has no "{field}"; it must hold {{"username": ..., "key": ...}}'
    return values, ""


def _oauth() -> Iterator[Source]:
    """The file that `kaggle auth login` writes."""
    file = _home(OAUTH_FILE)
    if file.exists():
        yield Source("oauth", str(file), file)


def _home(path: str) -> Path:
    return Path(os.path.expanduser(path))
