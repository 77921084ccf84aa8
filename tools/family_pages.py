"""Sizes and results of each family, for its page in docs/families/.

    python -m tools.family_pages [--write]

Sizes are those of all members in submissions/, outlined without building a model; results are the rows of
docs/results.md.
"""

import re
from collections.abc import Iterator

from benchmarks.harness.docs_tables import TOP, parser, show
from yt8m_kit import backend, models
from yt8m_kit.codecs.formats import codec_bytes
from yt8m_kit.output.tables import MIB, Row, markdown
from yt8m_kit.recipe import load, names

CODECS = ("float32", "uint8", "int4_g128")
SCORES = ("GAP@20", "mAP", "parameters", "exported MiB", "trained videos/s", "predicted videos/s")


def sizes() -> Iterator[tuple[str, Row]]:
    """Yield family and row of every distinct member of the recipes."""
    seen = set()
    for recipe in map(load, names()):
        for name, member in recipe.members.items():
            outline = models.weights(member.family, recipe.dataset, **member.hyperparameters)
            settings = ", ".join(f"{key}={value}" for key, value in member.hyperparameters.items())
            if (key := (member.family, recipe.dataset.name, settings)) in seen:
                continue
            seen.add(key)
            row: Row = {"recipe": recipe.name, "member": name, "settings": settings or "defaults"}
            row |= {
                "parameters": sum(each.size for each in outline),
                "published": member.published_parameters,
            }
            row |= {f"{codec} MiB": f"{codec_bytes(codec, outline) / MIB:.2f}" for codec in CODECS}
            yield member.family, row


def results() -> Iterator[tuple[str, Row]]:
    """Yield family and row of every member in the tables of docs/results.md."""
    text = (TOP / "docs" / "results.md").read_text(encoding="utf-8")
    for recipe, table in re.findall(
        r"^<!-- results (\w+)[^>]*-->\n(.*?)^<!-- /", text, re.DOTALL | re.MULTILINE
    ):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        for cells in rows:
            found = dict(zip(header, cells))
            row: Row = {"recipe": recipe, "member": found["name"]}
            yield found["family"], row | {name: found.get(name) for name in SCORES}


def main() -> None:
    """Print the tables, or put them into the pages."""
    options = parser(__doc__).parse_args()
    backend.start()
    known = {"Sizes of the settings in `submissions/`": [*sizes()]}
    known["Results ([all of them](../results.md))"] = [*results()]
    for page in sorted((TOP / "docs" / "families").glob("*.md")):
        parts = []
        for title, rows in known.items():
            own = [row for family, row in rows if family == page.stem]
            parts.append(f"{title}:\n\n{markdown(own)}" if own else "")
        show(f"family {page.stem}", "\n".join(parts), options.write)


if __name__ == "__main__":
    main()
