"""Downloads from a loopback mirror: after any fault a file is either identical or reported as missing."""

import errno
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes import mirror as at
from tests.fakes.mirror import Mirror
from yt8m_kit.cli.main import main
from yt8m_kit.data.download import download as downloading
from yt8m_kit.data.download.download import absent, download, sources
from yt8m_kit.data.download.mirrors import RetryPolicy
from yt8m_kit.data.download.partition import Partition, parse_plan
from yt8m_kit.data.loader import splits
from yt8m_kit.errors import DataError, KitError, UsageError

SOON = RetryPolicy(connect=2, read=0.5, backoff=0.02, max_backoff=0.2, max_silence=2, rounds=6)
TRAIN = Partition("2", "frame", "train")
LETTERS = ["aa", "ab", "aZ", "b0", "99"]
SIZE = 300_000


def contents(letters=LETTERS, size=SIZE, seed=0):
    """Path and bytes of the plan and of some files."""
    rng = random.Random(seed)
    names = [f"train{pair}.tfrecord" for pair in letters]
    files = {f"{TRAIN}/{name}": rng.randbytes(size + 7 * number) for number, name in enumerate(names)}
    sums = {path.rpartition("/")[2]: hashlib.md5(content).hexdigest() for path, content in files.items()}
    return {TRAIN.plan: json.dumps({"files": sums}).encode(), **files}


FILES = contents()
PATHS = [path for path in FILES if path != TRAIN.plan]
FIRST = PATHS[0]


@pytest.fixture
def mirrors():
    """Two servers with the same files."""
    with Mirror(FILES) as one, Mirror(FILES) as two:
        yield one, two


def run(data, *servers, **arguments):
    origin = sources(urls=",".join(server.url for server in servers))
    return download(data, TRAIN, origin, **{"policy": SOON, "connections": 3, **arguments})


def assert_all_there(data, files=FILES):
    folder = TRAIN.folder(data)
    shards = parse_plan(files[TRAIN.plan])
    assert sorted(os.listdir(folder)) == sorted(shard.local for shard in shards)
    for shard in shards:
        assert (folder / shard.local).read_bytes() == files[f"{TRAIN}/{shard.remote}"]


def whole(server, path):
    """Ranges of the requests for a file, without those that only probe its size."""
    return [wanted for wanted in server.asked(path) if wanted is None or wanted.endswith("-")]


# Without faults


def test_every_file_arrives_and_is_found(mirrors, tmp_path, capsys):
    folder = run(tmp_path, mirrors[0])
    assert_all_there(tmp_path)
    assert splits.find(tmp_path, "train") == sorted(folder.iterdir())
    assert [whole(mirrors[0], path) for path in PATHS] == [[None]] * 5
    err = capsys.readouterr().err
    assert re.search(r"5 files fetched, 1\.50MB in 00:0\d, ", err)


def test_a_second_run_requests_and_changes_nothing(mirrors, tmp_path, capsys):
    folder = run(tmp_path, mirrors[0])
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    asked = len(mirrors[0].seen)
    run(tmp_path, mirrors[0])
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert len(mirrors[0].seen) == asked
    err = capsys.readouterr().err
    assert f"download 2/frame/train to {folder}: 5 files, 0 already present" in err
    assert f"download 2/frame/train to {folder}: 0 files, 5 already present" in err
    assert "5 files, all already present" in err


def test_shares_and_limits_select_files(mirrors, tmp_path):
    run(tmp_path, mirrors[0], limit=2)
    assert sorted(os.listdir(TRAIN.folder(tmp_path))) == ["train0000.tfrecord", "train0001.tfrecord"]
    for x in (1, 2):
        run(tmp_path, mirrors[0], share=(x, 2))
    assert_all_there(tmp_path)


def test_a_file_under_its_remote_name_counts_as_present(mirrors, tmp_path):
    TRAIN.folder(tmp_path).mkdir(parents=True)
    (TRAIN.folder(tmp_path) / "trainaZ.tfrecord").write_bytes(b"as gsutil leaves it")
    run(tmp_path, mirrors[0])
    assert not mirrors[0].asked(f"{TRAIN}/trainaZ.tfrecord")
    assert len(os.listdir(TRAIN.folder(tmp_path))) == 5


def test_a_dry_run_estimates_and_writes_nothing(mirrors, tmp_path, capsys):
    run(tmp_path, mirrors[0], dry_run=True)
    assert not list(tmp_path.iterdir())
    assert not any(whole(mirrors[0], path) for path in PATHS)
    err = capsys.readouterr().err
    assert "2/frame/train: 5 of 5 files, 0 already present" in err
    assert re.search(r"5 to download, about 1\.50MB, about 00:0\d at .*B/s over 3 connections; .* free", err)


def test_the_chosen_official_server_comes_first():
    assert sources("eu").records == [f"http://{name}.data.yt8m.org" for name in ("eu", "us", "asia")]
    assert sources("us").plans[0] == "http://data.yt8m.org"
    assert sources("us", "http://a/, http://b").records == ["http://a/", "http://b"]


# With faults


FAULTS = {
    "503 with Retry-After": [at.unavailable(1)],
    "503": [at.unavailable()] * 3,
    "429": [at.unavailable(status=429)],
    "cut": [at.cut(100_000)],
    "cut at once": [at.cut(0), at.cut(0)],
    "cut again and again": [at.cut(70_000)] * 4,
    "stall": [at.stall(100_000)],
    "not even headers": [at.silence],
    "wrong contents": [at.instead(b"x" * SIZE)],
    "truncated, in good order": [at.instead(FILES[FIRST][:200_000])],
    "longer": [at.instead(FILES[FIRST] + b"more")],
    "an empty file": [at.instead(b"")],
    "an error page": [at.instead(b"<html>come back later</html>")],
    "ignores Range": [at.cut(100_000), at.without_ranges],
    "another range": [at.cut(100_000), at.another_range],
    "no such range": [at.cut(100_000), at.unavailable(status=416)],
}


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_overcome(tmp_path, fault, servers):
    with Mirror(FILES) as one, Mirror(FILES) as two:
        one.faults[FIRST] = [None, *FAULTS[fault]]  # the first request only probes the size
        two.faults[FIRST] = list(FAULTS[fault])
        run(tmp_path, *(one, two)[:servers], connections=1)
        assert_all_there(tmp_path)
        assert servers == 2 or one.faults[FIRST] == [], "every fault was served"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_permanent_fault_of_one_mirror_is_overcome_by_another(mirrors, tmp_path, fault):
    mirrors[0].faults["*"] = FAULTS[fault][-1]
    run(tmp_path, *mirrors[::-1], connections=5)  # the plan comes from the good one, which is asked first
    assert_all_there(tmp_path)


def test_a_cut_transfer_is_resumed_at_another_mirror(mirrors, tmp_path):
    run(tmp_path, mirrors[0], limit=1, dry_run=True)
    mirrors[0].faults[FIRST] = [None, at.cut(200_000)]
    run(tmp_path, *mirrors, limit=1)
    (wanted,) = mirrors[1].asked(FIRST)
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    assert start == 200_000, "no received byte is lost"


def test_a_slow_mirror_is_left_for_another(mirrors, tmp_path):
    mirrors[0].faults[FIRST] = [None, at.trickle]
    run(tmp_path, *mirrors, limit=1, connections=1)
    assert len(mirrors[1].asked(FIRST)) == 1
    assert (TRAIN.folder(tmp_path) / "train0000.tfrecord").read_bytes() == FILES[FIRST]


def test_retry_after_is_respected(tmp_path):
    with Mirror(FILES) as server:
        server.faults[FIRST] = [None, at.unavailable(1)]
        run(tmp_path, server, limit=1)
        times = [when for (path, _), when in zip(server.seen, server.times) if path == FIRST]
        assert times[2] - times[1] >= 0.99


def test_wrong_contents_everywhere_are_reported_and_discarded(mirrors, tmp_path, capsys):
    for server in mirrors:
        server.faults[FIRST] = at.instead(b"x" * SIZE)
    with pytest.raises(KitError, match=r"^1 of 5 files are missing in .*2/frame/train"):
        run(tmp_path, *mirrors)
    folder = TRAIN.folder(tmp_path)
    assert "train0000.tfrecord" not in os.listdir(folder)
    assert len(os.listdir(folder)) == 4, "neither the wrong file nor a part of it"
    assert len(whole(mirrors[0], FIRST)) == len(whole(mirrors[1], FIRST)) == 2
    err = capsys.readouterr().err
    assert "missing: train0000.tfrecord (trainaa.tfrecord): " in err
    assert "MD5 is not" in err


def test_a_file_that_no_server_has_is_reported_at_once(mirrors, tmp_path, capsys):
    for server in mirrors:
        del server.files[FIRST]
    began = time.monotonic()
    with pytest.raises(KitError, match="1 of 5 files are missing"):
        run(tmp_path, *mirrors, policy=RetryPolicy())
    assert time.monotonic() - began < 5
    assert missing_lines(capsys)[0].count("404 Not Found") == 2


def missing_lines(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if "missing: " in line]


def named_missing(capsys):
    """Shards that stderr calls missing, one a line."""
    found = [re.findall(r"missing: (\S+) ", line) for line in missing_lines(capsys)]
    return sorted(name for (name,) in found)


def test_when_all_servers_vanish_missing_files_are_reported_and_resumed_later(tmp_path, capsys):
    with Mirror(FILES, pace=400_000) as server:
        advance = downloading.DownloadPool.advance
        arrived = itertools.count(1)

        def leaving(self, size):
            if next(arrived) == 6:
                server.leave()
            advance(self, size)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(downloading.DownloadPool, "advance", leaving)
            with pytest.raises(KitError, match="no data for 2 s from"):
                run(tmp_path, server)
    folder = TRAIN.folder(tmp_path)
    assert named_missing(capsys) == [shard.local for shard in absent(parse_plan(FILES[TRAIN.plan]), folder)]
    parts = [name for name in os.listdir(folder) if name.endswith(".part")]
    assert parts
    with Mirror(FILES) as server:
        run(tmp_path, server)
        assert_all_there(tmp_path)
        assert sum(wanted is not None for path in PATHS for wanted in whole(server, path)) == len(parts)


QUICK = ["503", "429", "cut", "cut at once", "wrong contents", "longer", "an error page", "another range"]


def troubled(rng, share):
    """A fault function: `share` percent of the requests get a random fault of those that take no time."""

    def fault(handler, content):
        name = rng.choice([*QUICK, "ignores Range", "no such range"])
        if rng.randrange(100) < share and handler.path != f"/{TRAIN.plan}":
            return FAULTS[name][-1](handler, content)
        return handler.serve(content)

    return fault


def soak(tmp_path, letters, share, seed):
    """Under random faults every file is identical or reported as missing; without faults the rest arrives."""
    print(f"seed {seed}, {len(letters)} files, {share} % of the responses are faulty")
    files = contents(letters, 2000, seed)
    with Mirror(files) as one, Mirror(files) as two:
        one.faults["*"] = troubled(random.Random(seed), share)
        two.faults["*"] = troubled(random.Random(seed + 1), share)
        with suppress(KitError):
            run(tmp_path, one, two, connections=4)
        folder, missing = TRAIN.folder(tmp_path), []
        for shard in parse_plan(files[TRAIN.plan]):
            if (folder / shard.local).exists():
                assert (folder / shard.local).read_bytes() == files[f"{TRAIN}/{shard.remote}"], f"seed {seed}"
            else:
                missing.append(shard.local)
        one.faults, two.faults = {}, {}
        run(tmp_path, one, two, connections=4)
        assert_all_there(tmp_path, files)
    return missing


@pytest.mark.parametrize(("share", "seed"), [(10, 1), (40, 2), (80, 3)])
def test_random_faults(tmp_path, capsys, share, seed):
    missing = soak(tmp_path, [a + b for a in "ab" for b in "abcdefghijkl"], share, seed)
    assert named_missing(capsys) == sorted(missing)


@pytest.mark.long
def test_a_whole_plan_with_random_faults(tmp_path, capsys):
    digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    missing = soak(tmp_path, [a + b for a in digits for b in digits], 30, 4)
    assert named_missing(capsys) == sorted(missing)


def test_a_damaged_part_is_downloaded_again(mirrors, tmp_path):
    folder = TRAIN.folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "train0000.tfrecord.part").write_bytes(bytes(100_000))
    (folder / "train0001.tfrecord.part").write_bytes(FILES[PATHS[1]])
    (folder / "train0051.tfrecord.part").write_bytes(FILES[PATHS[2]] + b"too much")
    run(tmp_path, mirrors[0])
    assert_all_there(tmp_path)
    assert whole(mirrors[0], PATHS[0]) == ["bytes=100000-", None]
    assert whole(mirrors[0], PATHS[1]) == [], "it was already complete"


def test_a_plan_from_any_server_is_stored(mirrors, tmp_path):
    mirrors[0].faults[TRAIN.plan] = at.instead(b"<html>AccessDenied</html>")
    run(tmp_path, *mirrors)
    kept = tmp_path / TRAIN.plan
    assert kept.read_bytes() == FILES[TRAIN.plan]
    kept.write_text("{")
    with pytest.raises(DataError, match=r"frame_train\.json: not a download plan.*Delete it"):
        run(tmp_path, *mirrors)


def test_without_a_plan_nothing_is_written(tmp_path):
    with Mirror({}) as server, pytest.raises(KitError, match=r"cannot get 2/download_plans/.*404 Not Found"):
        run(tmp_path, server)
    assert not list(tmp_path.iterdir())


# The disk


def test_too_small_a_disk_is_refused_before_the_download(mirrors, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1_000_000))
    with pytest.raises(UsageError, match=r"about 1\.50MB to download, .* has 1\.00MB free: .*--limit"):
        run(tmp_path, mirrors[0])
    assert not any(whole(mirrors[0], path) for path in PATHS)
    run(tmp_path, mirrors[0], limit=3)


def test_a_disk_error_is_one_line(mirrors, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    TRAIN.folder(tmp_path).mkdir(parents=True)
    (tmp_path / TRAIN.plan).parent.mkdir()
    (tmp_path / TRAIN.plan).write_bytes(FILES[TRAIN.plan])
    with pytest.raises(
        KitError, match=r"cannot write in .*: No space left on device.*the same command resumes"
    ):
        run(tmp_path, mirrors[0])
    monkeypatch.undo()
    run(tmp_path, mirrors[0])
    assert_all_there(tmp_path)


# Processes


def command(data, *servers):
    urls = ",".join(server.url for server in servers)
    return [
        *(sys.executable, "-m", "yt8m_kit.cli", "download", "--split=train", "--connections=2"),
        *(f"--urls={urls}", f"--data={data}"),
    ]


def started(data, server):
    """Start a download process and wait until it has written some data."""
    process = subprocess.Popen(
        command(data, server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    for _ in range(200):
        if any(path.stat().st_size > 100_000 for path in data.rglob("*.part")):
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def test_after_kill_9_only_the_rest_is_downloaded(tmp_path):
    with Mirror(FILES, pace=300_000) as server:
        process = started(tmp_path, server)
        process.kill()
        process.communicate()
        parts = {p.name.removesuffix(".part"): p.stat().st_size for p in tmp_path.rglob("*.part")}
        server.pace, server.seen = None, []
        done = subprocess.run(command(tmp_path, server), capture_output=True, encoding="utf-8", check=True)
        assert done.stdout.strip() == str(TRAIN.folder(tmp_path))
        assert "resumed" in done.stderr
        assert_all_there(tmp_path)
        resumed = {
            wanted for path in PATHS for wanted in whole(server, path) if wanted and wanted != "bytes=0-"
        }
        assert resumed == {f"bytes={size}-" for size in parts.values() if size}


@pytest.mark.parametrize(
    "faults", [[None, at.stall(200_000)], [None, at.cut(200_000), at.silence]], ids=["body", "no answer"]
)
def test_ctrl_c_ends_a_stalled_download_at_once(tmp_path, faults):
    """In the middle of a body, or before the response headers."""
    with Mirror(FILES) as server:
        server.faults = {path: list(faults) for path in PATHS}
        process = started(tmp_path, server)
        deadline = time.monotonic() + 20
        while all(server.faults.values()) and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=50)
        assert time.monotonic() - began < 20, "the server stalls for longer"
        assert process.returncode == 130
        assert "interrupted; the same command resumes" in err


def test_two_runs_at_once_share_the_work(tmp_path):
    with Mirror(FILES, pace=300_000) as server:
        runs = [
            subprocess.Popen(
                command(tmp_path, server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
            )
            for _ in range(2)
        ]
        for process in runs:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        assert_all_there(tmp_path)
        assert [whole(server, path) for path in PATHS] == [[None]] * 5, "each was transferred once"


# The command line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "download needs --split=train, validate or test"),
        (["--split=all"], "--split must be one of train, validate, test; got 'all'"),
        (["--split=train", "--shard=2,1"], "--shard must be X,Y with 1 <= X <= Y"),
        (["--split=train", "--limit=0"], "--limit must be at least 1; got 0"),
        (["--split=train", "--connections=0"], "--connections must be at least 1; got 0"),
        (["--split=train", "--mirror=moon"], "--mirror must be one of us, eu, asia; got 'moon'"),
        (["--split=train", "--version=3"], "version 3 has validate and test; got train"),
        (["--split=train", "--mirrors=eu"], "no flag --mirrors. Did you mean '--mirror'?"),
        (
            ["--split=train", "--urls=ftp://x"],
            "a mirror must be http://HOST or https://HOST; got 'ftp://x'",
        ),
        (
            ["everything"],
            "--what must be one of records, vocabulary, pca, vggish, inception2015; got 'everything'",
        ),
    ],
)
def test_misuse_is_one_line(words, message, tmp_path, capsys):
    assert main(["download", *words, f"--data={tmp_path / 'data'}"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert not list(tmp_path.iterdir())


def test_exit_codes_and_the_environment(mirrors, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("YT8M_URLS", mirrors[0].url)
    monkeypatch.setenv("YT8M_DATA", str(tmp_path))
    assert main(["download", "--split=train", "--dry_run"]) == 0
    assert not list(tmp_path.iterdir())
    del mirrors[0].files[FIRST]
    assert main(["download", "--split=train"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("yt8m: 1 of 5 files are missing in ")
    mirrors[0].files[FIRST] = FILES[FIRST]
    assert main(["download", "--split=train"]) == 0
    assert capsys.readouterr().out == f"{TRAIN.folder(tmp_path)}\n"


def test_folders_of_two_versions_are_not_mixed(tmp_path):
    for version in "23":
        folder = tmp_path / version / "frame" / "validate"
        folder.mkdir(parents=True)
        (folder / "validate0000.tfrecord").touch()
    with pytest.raises(
        UsageError, match=f"in 2 folders: take --data={tmp_path}/2/frame or --data={tmp_path}/3/frame"
    ):
        splits.find(tmp_path, "validate")
    assert len(splits.find(tmp_path / "3" / "frame", "validate")) == 1


def test_video_level_records_are_found_without_frame_level_ones(tmp_path):
    path = Path(tmp_path / "2/video/train/train0000.tfrecord")
    path.parent.mkdir(parents=True)
    path.touch()
    assert splits.find(tmp_path, "train") == [path]
