"""The commands of the README and of docs/: right in their syntax, and run where they need no network."""

import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.demos import DEMO, VIDEOS, copied
from tools.docs_commands import PAGES, ROOT, blocks, clone_into, run_page, with_test_split
from yt8m_kit.cli.arguments import binding
from yt8m_kit.cli.main import verbs
from yt8m_kit.recipe import load

COMMANDS = [(page, command) for page in PAGES for block in blocks(page) for command in block.commands]
INLINE = [
    (page, " ".join(words.split()))
    for page in PAGES
    if page not in ("docs/decisions.md", "docs/first_hour.md")  # of what was, and of mistakes
    for words in re.findall(r"`((?:yt8m|make) [^`]*)`", (ROOT / page).read_text(encoding="utf-8"))
]


def parse(command):
    """Positional words and flags of a command of the kit, without redirections."""
    words = shlex.split(re.sub(r" > .*", "", command))
    flags = [word.removeprefix("--").partition("=") for word in words if word.startswith("--")]
    return [word for word in words if not word.startswith("--")], {
        name: value if equals else "True" for name, equals, value in flags
    }


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("yt8m ")])
def test_a_command_has_a_verb_its_arguments_and_a_recipe_that_exists(page, command):
    (_, verb, *words), flags = parse(command)
    binding(verbs()[verb])(*words, **flags)
    names = {path.stem for path in (ROOT / "submissions").glob("*.py")}
    for recipe in words[:1] if words and words[0] in names else []:
        for name in words[1:]:
            load(recipe).ensemble(name)


@pytest.mark.parametrize(
    ("page", "command"), [each for each in [*COMMANDS, *INLINE] if re.match("make [a-z]", each[1])]
)
def test_a_make_target_exists(page, command):
    target = command.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("page", "command"), [each for each in INLINE if each[1].startswith("yt8m ")])
def test_an_inline_command_has_a_verb_and_flags_that_exist(page, command):
    (_, *words), flags = parse(re.sub(r"[\[\]|]|\.\.\.", " ", command))
    if words and words[0].islower():
        assert set(flags) - {"help"} <= set(inspect.signature(verbs()[words[0]]).parameters)


@pytest.mark.long
def test_the_pages_run_as_they_stand(real_data, tmp_path):
    """In order, as later ones use what `make demo` made; but for `make test`, of which this is a part."""
    clone = clone_into(tmp_path)
    as_installed(clone / ".venv")
    copied([*DEMO, *VIDEOS], clone)
    records = with_test_split(real_data.resolve() / "audioset", tmp_path / "audioset")
    for page in PAGES:
        for outcome in run_page(page, clone, records, ["make test"], PYTHONPATH=str(clone)):
            assert outcome.code == 0, f"{page}: {outcome.command}"


def as_installed(environment):
    """This environment under another path, with make's notes of what is installed in it."""
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith("installed"):
            (environment / path.name).symlink_to(path)
    for name in {"installed", "installed-report", "installed-test", *_notes(Path(sys.prefix))}:
        (environment / name).touch()


def _notes(environment):
    return (path.name for path in environment.glob("installed*"))
