"""A server as a process of its own, and requests to it."""

import base64
import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.recipes import RECIPES

SECONDS = 60  # for an answer, on a busy machine


class Server:
    """`yt8m serve tiny blend` on any free port, as a context. said: its lines on stderr up to its address."""

    def __init__(self, runs: Path, *options: str):
        words = ["serve", "tiny", "blend", f"--runs={runs}", "--port=0", *options]
        environment = os.environ | {"YT8M_RECIPES": str(RECIPES)}
        command = [sys.executable, "-m", "yt8m_kit.cli", *words]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.said: list[str] = []

    def __enter__(self) -> "Server":
        """Read its lines until it says where it is."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"http://[\d.]+:(\d+)/v1/models/blend", line):
                self.port = int(found[1])
                return self
        raise AssertionError(f"the server ended: {''.join(self.said)}")

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.__exit__(None, None, None)

    def last_words(self) -> str:
        """What it says behind its address until it ends."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def connection(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request; status and content."""
        connection = self.connection()
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def predict(self, content: Any) -> tuple[int, dict[str, Any]]:
        """Send a prediction request; status and answer."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, found = self.ask("POST", "/v1/models/blend:predict", body)
        return status, json.loads(found)

    def metrics(self) -> dict[str, float]:
        """Its figures by name and labels."""
        _, text = self.ask("GET", "/metrics")
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def b64(content: bytes) -> dict[str, str]:
    """Bytes as JSON has them."""
    return {"b64": base64.b64encode(content).decode()}
