"""Damage every kind of file that the kit reads: the table of docs/faults_files.md.

    python -m tools.fuzz [--mutations 2000] [--only TEXT] [--seed 0] [--write]

Products of a small run are damaged in random ways, one at a time, sizes and times as on a disk that decays,
and read by what the verbs call, in this process. 1 if anything is silent, unnamed or a traceback.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tools.fuzz.outcomes import FAULTS, OUTCOMES, Result, fuzz
from tools.fuzz.products import make
from tools.fuzz.readers import kinds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults_files.md"

HEAD = """# Damaged files

What becomes of damage to each kind of file that the kit reads. `python -m tools.fuzz --write` writes this
page: real products of a small run are damaged at random, one at a time, and read as the verbs read them. Bits
flip, bytes change, blocks move, repeat and vanish, files are cut or emptied, with size and time as they were
where possible; in JSON also values, types and keys change, in CSV cells, quotes, lines and columns.

| outcome | meaning |
|---|---|
| refused | an error of one line that names the file; exit code 1 or 2 |
| recovered | another result, with a message that names the file, or the same made again |
| harmless | the same result: what is not read, or says the same in other bytes |
| other input | a file that people write, without a SHA-256 file: well formed, and other content |
| unnamed | an error that does not name the file, or is longer than a line |
| traceback | any other exception |
| silent | another result without a word |

Products are compared with the digest in their record when they are loaded, side files of soft labels with the
index. Checkpoints have the CRCs of a zip archive and a list of their arrays; rows of `metrics.jsonl` have the
CRC of themselves and the row before. Text files that other programs read, too, have a `FILE.sha256` next to
them, as `sha256sum` writes it (`vocabulary.csv`, `test_truth.csv`, download plans, `results.csv`): delete it
to use an edited file; write one for own files to have them compared as well.

Not found while reading: a TFRecord shard that is cut exactly between two records. `yt8m verify` compares MD5s
where a plan is there, and a product's record has the bytes of each shard.

"""


def table(results: list[Result], seed: int) -> str:
    """The counts in Markdown."""
    mutations = results[0].counts.total()
    lines = [f"{mutations:,} mutations of each kind, seed {seed}:\n"]
    lines += [f"| file | {' | '.join(OUTCOMES)} |", f"|---|{'---|' * len(OUTCOMES)}"]
    for result in results:
        counts = " | ".join(f"{result.counts[outcome]:,}" for outcome in OUTCOMES)
        lines.append(f"| {result.kind.name} | {counts} |")
    return "\n".join(lines) + "\n"


def run(mutations: int, only: str, seed: int, folder: Path) -> list[Result]:
    """Damage the files whose kinds' names hold `only`."""
    results = []
    for kind in kinds(make(folder)):
        if only in kind.name:
            began = time.perf_counter()
            results.append(fuzz(kind, mutations, seed))
            counts = ", ".join(f"{count} {outcome}" for outcome, count in results[-1].counts.items())
            print(f"{time.perf_counter() - began:7.1f} s  {kind.name}: {counts}", file=sys.stderr)
    return results


def faults(results: list[Result]) -> list[str]:
    """An example of each kind of fault of each file."""
    return [
        f"{result.kind.name}, {outcome}: {result.examples[outcome]}"
        for result in results
        for outcome in FAULTS
        if outcome in result.examples
    ]


def main() -> int:
    """Damage the files and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=2000, help="of each kind")
    parser.add_argument("--only", default="", help="a part of the names of the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write docs/faults_files.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = run(options.mutations, options.only, options.seed, Path(folder))
    print(table(results, options.seed), end="")
    if options.write:
        PAGE.write_text(HEAD + table(results, options.seed))
    found = faults(results)
    print("\n".join(found), file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
