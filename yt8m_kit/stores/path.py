"""Paths in object stores, with those operations of pathlib.Path that readers of a data set need."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from yt8m_kit.errors import UsageError
from yt8m_kit.machine.home import expanded
from yt8m_kit.stores import listing, request
from yt8m_kit.stores.filesystem import is_writable, perform, scheme_of
from yt8m_kit.stores.listing import Entry

_HOUR = 3600.0  # seconds
_VERSIONS = ("2", "3")  # folders of the official layout, where a store cannot list folders


@dataclass(frozen=True, order=True, repr=False)
class StorePath:
    """A folder or object of a store by its URL, without a slash at the end.

    entry: of an object that was listed. Paths are equal and ordered by their parts, like those of pathlib.
    """

    parts: tuple[str, ...]
    entry: Entry | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, url: str) -> "StorePath":
        """Parse a URL. Raises UsageError for one that cannot be read, or whose package is missing."""
        scheme = scheme_of(url)
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise UsageError(
                f"a {scheme}:// URL holds no name and password (before @): put them into ~/.netrc."
            )
        parts = [part for part in url.partition("://")[2].split("/") if part]
        if not parts:
            raise UsageError(f"{url!r} names no bucket or server, as in {scheme}://NAME/FOLDER.")
        return cls((f"{scheme}:/", *parts))

    def __repr__(self) -> str:
        return f"StorePath({str(self)!r})"

    def __str__(self) -> str:
        return "/".join(self.parts)

    def __truediv__(self, name: str) -> "StorePath":
        return StorePath((*self.parts, *name.split("/")))

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @property
    def suffix(self) -> str:
        """The end of the last part from its last dot on."""
        return Path(self.name).suffix

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return Path(self.name).stem

    @property
    def parent(self) -> "StorePath":
        """The folder."""
        return StorePath(self.parts[:-1])

    @property
    def parents(self) -> list["StorePath"]:
        """The folders, the nearest first, up to the bucket or server."""
        return [StorePath(self.parts[:end]) for end in range(len(self.parts) - 1, 1, -1)]

    @property
    def is_writable(self) -> bool:
        """Whether objects can be written there."""
        return is_writable(str(self))

    def relative_to(self, folder: "StorePath") -> PurePosixPath:
        """The parts below a folder."""
        return PurePosixPath(*self.parts[len(folder.parts) :])

    def absolute(self) -> "StorePath":
        """The path itself."""
        return self

    def with_name(self, name: str) -> "StorePath":
        """The path with another last part."""
        return self.parent / name

    def entries(self) -> dict[str, "StorePath"]:
        """What the folder holds, by name; none if it does not exist. Raises as listing.entries."""
        return {name: self._child(name, entry) for name, entry in listing.entries(str(self)).items()}

    def _child(self, name: str, entry: Entry) -> "StorePath":
        return StorePath((*self.parts, name), entry)

    def glob(self, pattern: str) -> Iterator["StorePath"]:
        """Yield what matches a pattern, part by part, without `**`."""
        first, _, rest = pattern.partition("/")
        if rest:
            for folder in self._folders(first):
                yield from folder.glob(rest)
        else:
            yield from (path for name, path in self.entries().items() if fnmatchcase(name, first))

    def _folders(self, pattern: str) -> list["StorePath"]:
        if "*" not in pattern:
            return [self / pattern]
        names = self.entries() if self.is_writable else _VERSIONS
        return [self / name for name in names if fnmatchcase(name, pattern)]

    def known(self) -> Entry:
        """Size and version of an object; asks the store unless it was listed. StoreError if it is missing."""
        if self.entry:
            return self.entry
        found = listing.entries(str(self.parent)).get(self.name)
        if found is None:
            raise request.StoreError(f"{self}: not found")
        return found

    def exists(self) -> bool:
        """Whether there is such an object. Raises StoreError where the store does not answer."""
        if self.is_writable:
            return self.name in listing.entries(str(self.parent))
        try:
            self.read_bytes()
            return True
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """False: objects are files."""
        return False

    def read_bytes(self) -> bytes:
        """Read a small object. Raises FileNotFoundError, or StoreError where the store does not answer."""
        return _contents(str(self))

    def read_large(self) -> bytes:
        """Read an object of hundreds of megabytes in one piece, within an hour; raises as read_bytes."""
        content: bytes = perform(
            str(self), lambda store: store._cat_file(str(self)), request.COPY, seconds=_HOUR
        )
        return content

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Read a small object as text."""
        return self.read_bytes().decode(encoding, errors)

    def open(self, mode: str = "r", encoding: str = "utf-8", newline: str | None = None) -> IO[Any]:
        """A small object as a file in memory, for reading."""
        content = io.BytesIO(self.read_bytes())
        return content if "b" in mode else io.TextIOWrapper(content, encoding, newline=newline)

    def write_bytes(self, content: bytes) -> None:
        """Write an object atomically. Raises UsageError on a web server, StoreError where it fails."""
        self._write(lambda store: store._pipe_file(str(self), content))

    def upload(self, file: Path) -> None:
        """Write an object with the contents of a file atomically; raises as write_bytes."""
        seconds = request.COPY.seconds + file.stat().st_size / 1e6  # at 1 MB/s
        self._write(lambda store: store._put_file(str(file), str(self)), seconds)

    def _write(self, operation: Any, seconds: float | None = None) -> None:
        if not self.is_writable:
            raise UsageError(f"cannot write to {self}: only gs:// and s3:// can be written.")
        try:
            perform(str(self), operation, request.COPY, seconds=seconds)
        except FileNotFoundError:
            raise request.StoreError(f"{self}: there is no such bucket") from None
        finally:
            forget()


DataPath = Path | StorePath
P = TypeVar("P", bound=DataPath)  # of a function that returns the kind of path that it gets


def data_path(text: str) -> DataPath:
    """Parse a folder or a URL. Raises UsageError for a URL that cannot be read, or an unknown home folder."""
    return StorePath.of(text) if "://" in text else expanded(text)


def forget() -> None:
    """Forget what was listed and read: objects were written."""
    _contents.cache_clear()
    listing.forget()


@cache
def _contents(url: str) -> bytes:
    content: bytes = perform(url, lambda store: store._cat_file(url), request.LIST)
    return content
