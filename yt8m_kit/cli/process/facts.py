"""Facts on standard output: fitted to a terminal, plain in a pipe or file, JSON or TSV on request."""

import sys

from yt8m_kit.output.facts import Form, Table, as_json, as_text, as_tsv


def print_facts(form: Form, **tables: Table) -> None:
    """Print tables by title; as text and as TSV one after another, with an empty line between them."""
    if form == "json":
        return print(as_json(tables), end="")
    for number, table in enumerate(table for table in tables.values() if table.rows):
        print("\n" * bool(number), end="")
        if form == "tsv":
            print(as_tsv(table), end="")
        else:
            print_table(table)


def print_table(table: Table) -> None:
    """Print one table for a reader."""
    if sys.stdout.isatty():
        from yt8m_kit.output.terminal.fitted import show

        show(table)
    else:
        print(as_text(table), end="")


def print_blocks(table: Table, text: str) -> None:
    """Print one block a row on a terminal, and a text that says the same elsewhere."""
    if sys.stdout.isatty():
        from yt8m_kit.output.terminal.fitted import show_blocks

        show_blocks(table)
    else:
        print(text, end="")
