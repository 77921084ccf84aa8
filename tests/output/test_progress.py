"""Progress: a bar in a terminal, plain lines in a log; counts and amounts in words."""

import os
import pty
import subprocess
import sys
import textwrap

import pytest

from yt8m_kit.output import progress

COUNT = """
    import sys, time
    from yt8m_kit.output import progress
    progress.LOG_INTERVAL = float(sys.argv[1])
    with progress.bar(8, "count", " files") as outer:
        for number in range(8):
            time.sleep(0.05)
            outer.update()
            if number == 3:
                progress.say("a remark")
                with progress.bar(2, "inner", " files") as inner:
                    inner.update(2)
"""


def logged(interval, stderr=subprocess.PIPE):
    """Output of a process that counts to eight in 0.4 s, with a remark and an inner bar in the middle."""
    words = [sys.executable, "-c", textwrap.dedent(COUNT), str(interval)]
    return subprocess.run(words, stderr=stderr, check=True).stderr


@pytest.mark.parametrize("interval", [0.0, 0.1, 10.0])
def test_a_log_gets_whole_lines(interval):
    text = logged(interval).decode()
    assert "\r" not in text
    assert "\x1b" not in text
    assert text.endswith("\n")
    lines = text.splitlines()
    assert lines.count("a remark") == 1
    outer = [line for line in lines if line.startswith("count:")]
    inner = [line for line in lines if line.startswith("inner:")]
    assert len(outer) + len(inner) + 1 == len(lines), "no empty line, nothing else"
    assert "0/8" in outer[0]
    assert "8/8" in outer[-1]
    assert "2/2" in inner[-1]


def test_lines_come_at_the_interval_and_at_both_ends():
    def lines(interval):
        return [line for line in logged(interval).splitlines() if line.startswith(b"count:")]

    assert len(lines(10.0)) == 2, "start and end"
    assert 3 <= len(lines(0.1)) <= 2 + 4, "in 0.4 s"
    assert len(lines(0.0)) == 2 + 8, "every update"


def test_a_process_whose_lines_are_shown_elsewhere_is_told_how_often_and_how_wide(monkeypatch):
    monkeypatch.setenv(progress.LINES, "0.0,40")
    lines = [line for line in logged(10.0).decode().splitlines() if line.startswith("count:")]
    assert len(lines) == 2 + 8
    assert max(map(len, lines)) <= 40


def test_a_terminal_gets_a_bar():
    ours, theirs = pty.openpty()
    logged(10.0, theirs)
    os.close(theirs)
    assert b"\r" in os.read(ours, 100_000)
    os.close(ours)


def test_lines_reach_a_pipe_while_the_step_runs():
    script = textwrap.dedent("""
        import sys
        from yt8m_kit.output import progress
        progress.LOG_INTERVAL = 0.0
        with progress.bar(2, "step", " files") as bar:
            bar.update()
            sys.stdin.read()
    """)
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert "0/2" in process.stderr.readline()
        assert "1/2" in process.stderr.readline()
        process.stdin.close()
        assert "1/2" in process.stderr.readline()


def test_amounts_in_words():
    assert progress.amount(5.49e9) == "5.49GB"
    assert progress.duration(127) == "02:07"
    assert progress.duration(3 * 3600 + 127) == "3:02:07"
    assert progress.plural(1, "shard") == "1 shard"
    assert progress.plural(3844, "shard") == "3,844 shards"
