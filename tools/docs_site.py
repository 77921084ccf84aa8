"""MkDocs hook for the site of docs/: pages that are made from other files, and links to these.

The README becomes the home page; each package of yt8m_kit gets a page of the API reference, in the order in
which packages import each other.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
# Pages of the site by the file of the repository.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "submissions/README.md": "leaderboard.md",
}
LINK = re.compile(r"(\]\()([^)#:]+)((?:#[^)]*)?\))")


def packages() -> list[str]:
    """Packages and single modules of yt8m_kit, in the order of tests/test_architecture.py."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    order = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ORDER"
    )
    return [name for name in re.split(r"[\s|]+", order) if name]


def _relinked(text: str, source: str) -> str:
    """The text of a file of the repository, its links leading to pages of the site."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[2]))
        page = PAGES.get(target, target.removeprefix("docs/"))
        return f"{found[1]}{page}{found[3]}"

    return LINK.sub(link, text)


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Put the API reference's pages in place of API in the navigation."""
    nav: list[Any] = config.nav or []
    for entry in nav:
        if entry.get("API reference") == "API":
            entry["API reference"] = [f"api/{name}.md" for name in packages()]
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, source)))
    for name in packages():
        content = f"# {name}\n\n::: yt8m_kit.{name}\n"
        files.append(File.generated(config, f"api/{name}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to files outside docs/ lead to their pages."""
    source = page.file.src_uri
    if source in PAGES.values() or source.startswith("api/"):
        return markdown
    return _relinked(markdown, f"docs/{source}")
