"""The spinner: words that move in a terminal and are removed, a plain line in a log."""

import os
import pty
import subprocess
import sys

CODE = """
import time
from yt8m_kit.machine.last_words import held_stderr
from yt8m_kit.machine.spinner import spinning
with spinning("loading"), held_stderr("it"):
    time.sleep(0.35)
"""


def written(**environment):
    """What a process that loads for a third of a second writes on a terminal."""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", CODE], stderr=theirs, check=True, env={**os.environ, **environment})
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)
    return text


def test_a_terminal_gets_moving_words_that_are_removed():
    text = written(TERM="xterm")
    frames = text.split("\r")
    assert frames[1] == "| loading, 0 s"
    assert {frame[0] for frame in frames[1:-1]} >= {"|", "/", "-"}
    assert text.endswith("\r\x1b[K")


def test_a_dumb_terminal_and_a_log_get_a_plain_line():
    assert written(TERM="dumb") == "loading\r\n"
    done = subprocess.run([sys.executable, "-c", CODE], stderr=subprocess.PIPE, check=True)
    assert done.stderr == b"loading\n"
