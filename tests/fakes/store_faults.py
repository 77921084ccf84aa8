"""Faults of an object store: what is answered in place of a shard, or of a range of it."""

from tests.fakes import mirror


def shifted(handler, content):
    """Answer with a range of the right length, one byte further on."""
    start, end = map(int, handler.headers["Range"].removeprefix("bytes=").split("-"))
    handler.send_response(206)
    handler.send_header("Content-Length", str(min(end + 1, len(content)) - start))
    handler.end_headers()
    handler.wfile.write((content + b"\0")[start + 1 : end + 2])


def flipped(handler, content):
    """Flip a bit in the middle of the shard."""
    middle = len(content) // 2
    handler.serve(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def other(handler, content):
    """Serve zeros of the shard's size."""
    handler.serve(bytes(len(content)))


def shortened(handler, content):
    """Serve the shard without its last tenth."""
    handler.serve(content[: len(content) * 9 // 10])


FAULTS = {
    "400": mirror.unavailable(status=400),
    "403": mirror.unavailable(status=403),
    "404": mirror.unavailable(status=404),
    "429": mirror.unavailable(status=429),
    "500": mirror.unavailable(status=500),
    "503": mirror.unavailable(status=503),
    "cut": mirror.cut(after=70),
    "cut before the first byte": mirror.cut(after=0),
    "stalled": mirror.stall(after=70),
    "no answer": mirror.silence,
    "too slow": mirror.trickle,
    "truncated": shortened,
    "another range": shifted,
    "a flipped bit": flipped,
    "another file": other,
    "no ranges": mirror.without_ranges,
}
