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


class Entry(NamedTuple):
    """An object or folder. size: in bytes. version: changes with the contents, empty for a folder.

    md5: of the contents, in hex; empty where the store does not know it.
    """

    size: int = 0
    version: str = ""
    md5: str = ""


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
        found = perform(url, lambda store: store._ls(url, detail=True), request.LIST)
    except FileNotFoundError:
        return {}
    folder = url.partition("://")[2]
    named = ((each["name"].rstrip("/"), each) for each in found)
    return {name.rpartition("/")[2]: entry_of(each) for name, each in named if name != folder}


def entry_of(about: Mapping[str, Any]) -> Entry:
    """An entry from the description of an object by gcsfs or s3fs."""
    if about["type"] == "directory":
        return Entry()
    tag = str(about.get("generation") or about.get("ETag") or about.get("etag") or "").strip('"')
    if known := about.get("md5Hash"):
        return Entry(about["size"], tag, base64.b64decode(known).hex())
    return Entry(about["size"], tag, tag if len(tag) == 32 and "ETag" in about else "")


def _web_entries(url: str) -> dict[str, Entry]:
    """The shards of a manifest (a file of output.sealed); none without one, or where access to it is denied.

    Servers that do not tell what exists answer 403 for a missing file.
    """
    path = f"{url}/{MANIFEST}"
    try:
        text = perform(path, lambda store: store._cat_file(path), request.LIST)
    except FileNotFoundError:
        return {}
    except StoreError as error:
        if "access denied" in str(error):
            return {}
        raise
    try:
        sealed = json.loads(text)
        if sealed["sha256"] != hashlib.sha256(json.dumps(sealed["content"]).encode()).hexdigest():
            raise StoreError(f"{path} is damaged or was edited: its checksum does not match")
        shards = sealed["content"]["shards"].items()
        return {name: Entry(int(size), md5, md5) for name, (size, _, md5, *_) in shards}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(f"{path} is not a list of shards, as `yt8m verify` writes it") from None
