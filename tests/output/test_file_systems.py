"""File systems without locks, hard links or syncs of folders: work goes on, after one warning."""

import errno
import fcntl
import os
import stat

import pytest

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import locks
from yt8m_kit.output.files import give_name, replacing_folder, write_shared, write_text
from yt8m_kit.run import Run


def refusing(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture
def folder_sync_fails(monkeypatch):
    """A function after whose call syncing a folder fails with that error; files are synced as ever."""
    fsync = os.fsync

    def fail(number):
        def sync(file):
            return refusing(number)() if stat.S_ISDIR(os.fstat(file).st_mode) else fsync(file)

        monkeypatch.setattr(os, "fsync", sync)

    return fail


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_there_is_one_warning(tmp_path, monkeypatch, capsys, number):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    monkeypatch.setattr(locks, "_WARNED", [])
    for name in "ab":
        run = Run(tmp_path / name)
        with run.alone(("train", "demo", name)):
            write_shared(run.path / "shared", b"content")
        assert run.holder() == ""
        assert (run.path / "shared").read_bytes() == b"content"
    assert capsys.readouterr().err.count("without locks") == 1


def test_other_errors_of_locks_are_not_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"), Run(tmp_path).alone():
        pass


def test_a_lock_still_keeps_processes_apart(tmp_path):
    run = Run(tmp_path)
    with run.alone(), pytest.raises(UsageError, match="another process works"), run.alone():
        pass


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, folder_sync_fails, number):
    folder_sync_fails(number)
    write_text(tmp_path / "file", "new")
    with replacing_folder(tmp_path / "graph") as temporary:
        (temporary / "variables").mkdir()
        (temporary / "variables" / "a").write_text("a")
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "graph" / "variables" / "a").read_text() == "a"


def test_a_failed_sync_of_a_folder_says_that_the_new_file_is_in_place(tmp_path, folder_sync_fails):
    folder_sync_fails(errno.EIO)
    with pytest.raises(KitError, match="The new file is in place") as caught:
        write_text(tmp_path / "file", "new")
    assert "unchanged" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "new"


def test_without_hard_links_a_second_name_is_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    (tmp_path / "a").write_text("rows")
    (tmp_path / "b").write_text("older")
    give_name(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == (tmp_path / "a").read_text() == "rows"
