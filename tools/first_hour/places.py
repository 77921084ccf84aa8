"""Mistakes in places: folders, variables, file systems, locales, the network."""

from tools.first_hour.case import Case, Place

TITLE = "Places and environment"
# Imported by Python when it starts: system calls fail as on file systems that lack them.
LACKING = """
import errno, fcntl, os, stat
def refuse(number):
    def call(*_, **__):
        raise OSError(number, os.strerror(number))
    return call
def sync(file, fsync=os.fsync):
    return refuse(errno.EINVAL)() if stat.S_ISDIR(os.fstat(file).st_mode) else fsync(file)
fcntl.flock, os.link, os.fsync = refuse(errno.ENOLCK), refuse(errno.EPERM), sync
"""


def lacking(place: Place) -> None:
    """A file system without locks, hard links and syncs of folders."""
    (place.root / "lacking").mkdir()
    (place.root / "lacking" / "sitecustomize.py").write_text(LACKING)


CASES = (
    Case(
        "~ that the shell leaves",
        "yt8m synthesize --out=~/x --train=4 --validate=4 --test=4 && ls home/x",
        0,
        "train0000.tfrecord",
    ),
    Case("YT8M_DATA='~/x'", "YT8M_DATA='~/x' yt8m verify --split=train", 2, "looked for ./home/x/train"),
    Case(
        "the home folder of nobody",
        "yt8m report tiny --runs='~nobody_here/x'",
        2,
        "home folder that is not known",
    ),
    Case(
        "KAGGLE_CONFIG_DIR='~/x'",
        "KAGGLE_CONFIG_DIR='~/x' yt8m leaderboard --kaggle",
        3,
        "no ./home/x/kaggle.json",
    ),
    Case(
        "a home folder that cannot be written",
        "HOME=/proc yt8m leaderboard --kaggle",
        3,
        "warning: cannot make",
    ),
    Case(
        "no home folder at all",
        "env -u HOME unshare -r --map-user=4242 yt8m leaderboard --kaggle",
        3,
        "HOME is not set",
    ),
    Case(
        "training without a home folder",
        "HOME=/proc yt8m train tiny logistic",
        0,
        "runs/tiny/logistic/trained.weights.h5",
        at_once=False,
    ),
    Case(
        "a SOCKS proxy without PySocks",
        "ALL_PROXY=socks5h://127.0.0.1:9 yt8m download --split=train",
        2,
        "the proxy in ALL_PROXY is a SOCKS proxy",
    ),
    Case(
        "a file system without locks, hard links and syncs of folders",
        "PYTHONPATH=lacking:$PYTHONPATH yt8m run tiny logistic",
        0,
        "warning: runs/tiny/logistic is on a file system without locks",
        lacking,
        at_once=False,
    ),
    Case(
        "the table of scores without a folder of recipes",
        "unset YT8M_RECIPES; rm -r recipes; YT8M_RECIPES=submissions yt8m leaderboard",
        2,
        "no folder of recipes submissions",
    ),
)
