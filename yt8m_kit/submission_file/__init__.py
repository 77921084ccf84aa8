"""The competition's CSV: how rows are written, and what a file must be before it is handed in."""

from yt8m_kit.submission_file.reading import HEADER, check, read
from yt8m_kit.submission_file.rows import text

__all__ = ["HEADER", "check", "read", "text"]
