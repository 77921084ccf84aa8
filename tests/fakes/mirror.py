"""A file server on the loopback interface with configurable faults."""

import re
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 14  # bytes sent at a time


class MirrorHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: "Mirror"

    def do_GET(self):
        path = self.path.lstrip("/")
        self.mirror.seen.append((path, self.headers["Range"]))
        self.mirror.times.append(time.monotonic())
        fault = self.mirror.fault(path)
        with suppress(ConnectionError):  # the client has gone
            if fault:
                fault(self, self.mirror.files.get(path, b""))
            elif path in self.mirror.files:
                self.serve(self.mirror.files[path])
            else:
                self.refuse(404)

    def refuse(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self, content, end=None, ranges=True):
        """Send headers for the requested range; cut the body after `end` bytes."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "") if ranges else None
        start = int(wanted[1]) if wanted else 0
        stop = min(len(content), int(wanted[2]) + 1) if wanted and wanted[2] else len(content)
        if start >= len(content) and wanted:
            return self.refuse(416, Content_Range=f"bytes */{len(content)}")
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        body = content[start : stop if end is None else start + end]
        for at in range(0, len(body), PIECE):
            if self.mirror.leaving.is_set():
                break
            self.wfile.write(body[at : at + PIECE])
            if self.mirror.pace:
                time.sleep(PIECE / self.mirror.pace)
        if len(body) < stop - start:
            self.close_connection = True
        return None

    def log_message(self, *_):
        pass


class Mirror:
    """Serve `files` (contents by path) with Range, at most `pace` bytes a second per connection.

    seen: (path, Range or None) of every request. faults: by path, or "*" for every path: a function that
    replaces the response to all requests, or a list with one function per request, None for no fault.
    """

    handler = MirrorHandler

    def __init__(self, files, pace=None):
        self.files, self.pace = dict(files), pace
        self.seen, self.times, self.faults = [], [], {}
        self.leaving = threading.Event()
        handler = type("Handler", (self.handler,), {"mirror": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Shut down: open transfers are cut, later connections are refused."""
        if not self.leaving.is_set():
            self.leaving.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def fault(self, path):
        found = self.faults.get(path, self.faults.get("*"))
        if isinstance(found, list):
            return found.pop(0) if found else None
        return found

    def asked(self, path):
        """The Range of each request for a path, in order."""
        return [wanted for name, wanted in self.seen if name == path]


# Faults


def unavailable(retry_after=None, status=503):
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return lambda handler, content: handler.refuse(status, **headers)


def cut(after):
    """Close the connection after `after` bytes of the body."""
    return lambda handler, content: handler.serve(content, end=after)


def stall(after):
    """Send nothing after `after` bytes of the body, with the connection open."""

    def run(handler, content):
        handler.serve(content, end=after)
        handler.wfile.flush()
        handler.mirror.leaving.wait(30)

    return run


def trickle(handler, content):
    """Send one byte at a time, slowly."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for at in range(len(content)):
        if handler.mirror.leaving.wait(0.05):
            break
        handler.wfile.write(content[at : at + 1])


def silence(handler, content):
    """Send nothing, not even headers."""
    handler.mirror.leaving.wait(30)
    handler.close_connection = True


def late(seconds):
    """Answer after a while."""

    def run(handler, content):
        handler.mirror.leaving.wait(seconds)
        if content:
            handler.serve(content)
        else:
            handler.refuse(404)

    return run


def without_ranges(handler, content):
    handler.serve(content, ranges=False)


def instead(other):
    """Send other contents, without an error."""
    return lambda handler, content: handler.serve(other)


def another_range(handler, content):
    """Send a range that was not requested."""
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 1-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - 1))
    handler.end_headers()
    handler.wfile.write(content[1:])
