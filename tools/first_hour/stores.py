"""Mistakes with records in object stores."""

from tools.first_hour.case import Case, Place

TITLE = "Records in object stores"


def _lacking(place: Place) -> None:
    """Let gcsfs, s3fs and aiohttp be missing where PYTHONPATH begins with lacking/."""
    (place.root / "lacking").mkdir()
    lines = [f"sys.modules[{name!r}] = None\n" for name in ("gcsfs", "s3fs", "aiohttp")]
    (place.root / "lacking" / "sitecustomize.py").write_text("".join(["import sys\n", *lines]))


LACKING = "PYTHONPATH=lacking:$PYTHONPATH"
CASES: tuple[Case, ...] = (
    Case(
        "a scheme that is none", "yt8m train tiny logistic --data=ftp://host/records", 2,
        "yt8m: records are read from a folder or from gs://, s3://, https://, http://; got 'ftp://host/records'.",
    ),
    Case(
        "Google's old name of the scheme", "yt8m train tiny logistic --data=gcs://bucket/records", 2,
        "got 'gcs://bucket/records'.",
    ),
    Case(
        "a bucket in $YT8M_DATA of a wrong scheme", "YT8M_DATA=hdfs://name/a yt8m predict tiny blend", 2,
        "got 'hdfs://name/a'.",
    ),
    Case("a URL without a bucket", "yt8m train tiny logistic --data=http://", 2, "names no bucket or server"),
    Case(
        "gs:// without gcsfs", f"{LACKING} yt8m train tiny logistic --data=gs://bucket/records", 2,
        "yt8m: gs:// needs gcsfs; run: pip install -e '.[gcs]' in the folder of the kit.", _lacking,
    ),
    Case(
        "s3:// without s3fs", f"{LACKING} yt8m verify --split=train --data=s3://bucket/records", 2,
        "yt8m: s3:// needs s3fs; run: pip install -e '.[s3]' in the folder of the kit.", _lacking,
    ),
    Case(
        "https:// without aiohttp", f"{LACKING} yt8m train tiny logistic --data=https://host/records", 2,
        "yt8m: https:// needs aiohttp; run: pip install -e '.[http]' in the folder of the kit.", _lacking,
    ),
    Case(
        "no server at the address", "yt8m train tiny logistic --data=http://127.0.0.1:1/records", 1,
        "yt8m: http://127.0.0.1:1/records/verified.json: no connection (3 attempts)",
    ),
    Case(
        "runs in a bucket", "yt8m train tiny logistic --runs=s3://bucket/runs", 2,
        "yt8m: --runs must be a folder or file; only --data may be a URL; got 's3://bucket/runs'.",
    ),
    Case(
        "synthesized videos into a bucket", "yt8m synthesize s3://bucket/records", 2,
        "yt8m: --out must be a folder or file; only --data may be a URL; got 's3://bucket/records'.",
    ),
    Case(
        "a download to a web server", "yt8m download --split=train --data=http://127.0.0.1:1/records", 2,
        "only gs:// and s3:// can be written",
    ),
    Case(
        "a cache of no size",
        "YT8M_CACHE=c YT8M_CACHE_GB=0 yt8m status tiny --data=http://127.0.0.1:1/records", 2,
        "yt8m: YT8M_CACHE_GB must be a number of gigabytes above 0; got '0'.",
    ),
    Case(
        "a cache folder that is a file",
        "YT8M_CACHE=recipes/tiny.py yt8m status tiny --data=http://127.0.0.1:1/records", 2,
        "yt8m: YT8M_CACHE must be a folder; recipes/tiny.py is a file.",
    ),
)  # fmt: skip
