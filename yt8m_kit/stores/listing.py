"""Entries of a folder in an object store, read once per process.

Buckets are listed by their own requests. A web server has no listing: that of a folder is the file
verified.json in it, which `yt8m verify` writes.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from yt8m_kit.stores import request
from yt8m_kit.stores.filesystem import is_writable, perform
from yt8m_kit.stores.request import StoreError

MANIFEST = "verified.json"
_IN_MANIFEST, _IN_LISTING = f"in {MANIFEST} next to it", "that its bucket lists"


class Entry(NamedTuple):
    """An object or folder. size: in bytes. version: changes with the contents, empty for a folder.

    md5: of the contents, in hex; empty where it is not known. origin: what knows the MD5.
    """

    size: int = 0
    version: str = ""
    md5: str = ""
    origin: str = ""


class Verified(NamedTuple):
    """A shard in a manifest. version: of an object in a bucket, or the time of a local file."""

    size: int
    version: str | int
    md5: str


@cache
def entries(url: str) -> Mapping[str, Entry]:
    """The entries of a folder by name; none for a folder that does not exist.

    Raises StoreError where the store does not answer or denies access, UsageError without credentials.
    """
    return _bucket_entries(url) if is_writable(url) else _web_entries(url)


def forget() -> None:
    """Forget all entries: objects were written."""
    entries.cache_clear()


def _bucket_entries(url: str) -> dict[str, Entry]:
    try:
        listed = perform(url, lambda store: store._ls(url, detail=True), request.LIST)
    except FileNotFoundError:
        return {}
    folder = url.partition("://")[2]
    named = ((each["name"].rstrip("/"), each) for each in listed)
    found = {name.rpartition("/")[2]: entry_of(each) for name, each in named if name != folder}
    if MANIFEST in found and not all(entry.md5 for entry in found.values()):
        _add_md5s(found, f"{url}/{MANIFEST}")
    return found


def _add_md5s(found: dict[str, Entry], path: str) -> None:
    """Take MD5s that a bucket does not know, of objects uploaded in parts, from a manifest in it."""
    try:
        shards = _verified(path)
    except (FileNotFoundError, ValueError):  # it is read again, and checked, with the record counts
        return
    for name in found.keys() & shards.keys():
        entry, shard = found[name], shards[name]
        is_same = isinstance(shard.version, int) or shard.version == entry.version
        if not entry.md5 and is_same and shard.size == entry.size:
            found[name] = entry._replace(md5=shard.md5, origin=_IN_MANIFEST)


def entry_of(about: Mapping[str, Any]) -> Entry:
    """An entry from the description of an object by gcsfs or s3fs."""
    if about["type"] == "directory":
        return Entry()
    tag = str(about.get("generation") or about.get("ETag") or about.get("etag") or "").strip('"')
    if known := about.get("md5Hash"):
        return Entry(about["size"], tag, base64.b64decode(known).hex(), _IN_LISTING)
    return Entry(about["size"], tag, tag if len(tag) == 32 and "ETag" in about else "", _IN_LISTING)


def _web_entries(url: str) -> dict[str, Entry]:
    """The shards of a manifest; none without one, or where access to it is denied.

    Servers that do not tell what exists answer 403 for a missing file.
    """
    path = f"{url}/{MANIFEST}"
    try:
        shards = _verified(path)
    except FileNotFoundError:
        return {}
    except StoreError as error:
        if "access denied" in str(error):
            return {}
        raise
    except ValueError as error:
        raise StoreError(f"{path} {error}") from None
    return {name: Entry(shard.size, shard.md5, shard.md5, _IN_MANIFEST) for name, shard in shards.items()}


def _verified(path: str) -> dict[str, Verified]:
    """Read a manifest, a file of output.sealed.

    Raises FileNotFoundError without one, StoreError if the store does not answer, ValueError with the end of
    a sentence if it cannot be used.
    """
    text = perform(path, lambda store: store._cat_file(path), request.LIST)
    try:
        sealed = json.loads(text)
        is_intact = sealed["sha256"] == hashlib.sha256(json.dumps(sealed["content"]).encode()).hexdigest()
        shards = sealed["content"]["shards"].items()
        found = {name: Verified(int(size), version, md5) for name, (size, version, md5, *_) in shards}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("is not a list of shards, as `yt8m verify` writes it") from None
    if not is_intact:
        raise ValueError("is damaged or was edited: its checksum does not match")
    return found
