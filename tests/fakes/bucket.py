"""A bucket on the loopback interface, by the protocols of S3 and of Google Cloud Storage, with faults."""

import base64
import hashlib
import json
import re
from contextlib import suppress
from functools import lru_cache
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.fakes.mirror import Mirror, MirrorHandler


class _BucketHandler(MirrorHandler):
    """S3: /BUCKET?list-type=2 and /BUCKET/KEY. Google: /storage/v1, /download/storage/v1 and /upload/..."""

    mirror: "Bucket"
    key: str | None = None  # of the object that is answered

    def handle_one_request(self):
        with suppress(ConnectionError):  # the client has gone
            super().handle_one_request()

    def do_GET(self):  # noqa: N802 - called by http.server
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        google = re.fullmatch(r"/(?:download/)?storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", url.path)
        bucket, key = google.groups() if google else url.path.removeprefix("/").partition("/")[::2]
        self.key = unquote(key or "")
        if bucket != self.mirror.name:
            self.refuse(404)
        elif self.mirror.denied:
            self.refuse(403)
        elif not self.key:
            self.mirror.seen.append((f"LIST {self.query.get('prefix', '')}", None))
            self.reply(self.google_listing() if google else self.s3_listing())
        elif google and self.query.get("alt") != "media":
            if self.key in self.mirror.files:
                self.reply(json.dumps(self.about(self.key)).encode())
            else:
                self.refuse(404)
        else:
            self.path = "/" + self.key
            super().do_GET()

    def do_HEAD(self):  # noqa: N802 - called by http.server
        self.key = unquote(urlsplit(self.path).path).partition(f"/{self.mirror.name}/")[2]
        if self.key not in self.mirror.files:
            return self.refuse(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.mirror.files[self.key])))
        return self.end_headers()

    def do_PUT(self):  # noqa: N802 - called by http.server
        self.key = unquote(urlsplit(self.path).path).partition(f"/{self.mirror.name}/")[2]
        self.mirror.files[self.key] = self.body()
        self.reply(b"")

    def do_POST(self):  # noqa: N802 - called by http.server
        """An upload to Google in one request: JSON, then the contents, as multipart/related."""
        boundary = self.headers["Content-Type"].partition("boundary=")[2].strip("\"'").encode()
        about, content = (part for part in self.body().split(b"--" + boundary)[1:3])
        name = json.loads(about.partition(b"\n\n")[2].strip() or about.partition(b"\r\n\r\n")[2])["name"]
        separator = b"\r\n\r\n" if b"\r\n\r\n" in content[:200] else b"\n\n"
        self.mirror.files[name] = content.partition(separator)[2].removesuffix(b"\n").removesuffix(b"\r")
        self.reply(json.dumps(self.about(name)).encode())

    def body(self):
        """What was sent, also in chunks, as signed uploads are."""
        if "chunked" not in self.headers.get("Content-Encoding", "") + self.headers.get(
            "Transfer-Encoding", ""
        ):
            return self.rfile.read(int(self.headers["Content-Length"]))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return content

    def reply(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self):
        if self.key in self.mirror.files:
            self.send_header("ETag", f'"{self.mirror.tag(self.key)}"')
        super().end_headers()

    def found(self):
        """Keys and folders below the prefix."""
        prefix = self.query.get("prefix", "")
        below = [key for key in sorted(self.mirror.files) if key.startswith(prefix)]
        parts = {key: key[len(prefix) :].partition("/") for key in below}
        keys = [key for key, (_, slash, _) in parts.items() if not slash]
        return keys, sorted({f"{prefix}{first}/" for first, slash, _ in parts.values() if slash})

    def s3_listing(self):
        keys, folders = self.found()
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.mirror.files[key])}</Size>"
            f'<ETag>"{self.mirror.tag(key)}"</ETag>'
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        items += "".join(f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders)
        count = len(keys) + len(folders)
        return f"<ListBucketResult><KeyCount>{count}</KeyCount>{items}</ListBucketResult>".encode()

    def google_listing(self):
        keys, folders = self.found()
        return json.dumps({"items": [self.about(key) for key in keys], "prefixes": folders}).encode()

    def about(self, key):
        content = self.mirror.files[key]
        known = {} if self.mirror.in_parts else {"md5Hash": base64.b64encode(_md5(content)).decode()}
        return known | {
            "kind": "storage#object",
            "bucket": self.mirror.name,
            "name": key,
            "size": str(len(content)),
            "generation": str(int.from_bytes(_md5(content)[:6], "big")),
        }


class Bucket(Mirror):
    """A bucket of `files` (contents by key) with the faults of a Mirror, by key.

    denied: answer 403. in_parts: objects were uploaded in parts, their MD5s are not known.
    """

    handler = _BucketHandler

    def __init__(self, files, name="records", pace=None):
        self.name, self.denied, self.in_parts = name, False, False
        super().__init__(files, pace)

    def tag(self, key):
        """The ETag of an object."""
        return f"{_md5(self.files[key]).hex()}{'-2' if self.in_parts else ''}"

    def environment(self):
        """Variables that lead s3fs and gcsfs here."""
        return {
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "STORAGE_EMULATOR_HOST": self.url,
        }


@lru_cache(maxsize=64)
def _md5(content):
    return hashlib.md5(content, usedforsecurity=False).digest()
