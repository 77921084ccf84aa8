"""A file that is not as its SHA-256 file says is refused; one without such a file is read as it is."""

import shutil
import subprocess

import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.output import checksums
from yt8m_kit.output.checksums import check_checksum, checksum_file, write_with_checksum
from yt8m_kit.output.files import write_shared


def test_sha256sum_agrees_and_an_edit_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    for content in (b"one\n", b"two\n"):
        write_with_checksum(path, content)
        check_checksum(path)
        assert path.read_bytes() == content
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", checksum_file(path)], cwd=tmp_path, check=True)
    path.write_bytes(b"twp\n")
    with pytest.raises(KitError, match=r"list\.csv is damaged or was edited: .* delete .*list\.csv\.sha256"):
        check_checksum(path)
    checksum_file(path).unlink()
    check_checksum(path)


@pytest.mark.parametrize("text", ["", "\0", "0" * 64])
def test_a_damaged_sha256_file_refuses(tmp_path, text):
    path = tmp_path / "list.csv"
    write_with_checksum(path, b"one\n")
    checksum_file(path).write_text(text)
    with pytest.raises(KitError, match="damaged"):
        check_checksum(path)


@pytest.mark.parametrize(("writes", "content"), [(0, b"old\n"), (1, b"old\n"), (2, b"new\n")])
def test_a_kill_between_two_writes_leaves_a_valid_file(tmp_path, monkeypatch, writes, content):
    path = tmp_path / "list.csv"
    write_with_checksum(path, b"old\n")
    left = iter(range(writes))

    def limited(target, text):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_shared(target, text)

    monkeypatch.setattr(checksums, "write_shared", limited)
    with pytest.raises(KeyboardInterrupt):
        write_with_checksum(path, b"new\n")
    check_checksum(path)
    assert path.read_bytes() == content
