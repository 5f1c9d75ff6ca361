"""Runs the `console` and `python` blocks of README and docs, page by page, as a reader would.

    ```console            commands after `$ `, then the output that a reader will see; `...` stands for any lines
    ```console slow       the same, but run by `make docs-check` only; so is a whole page after its first slow block
    ```python             a program, run in the page's folder

Blocks of a page run in order in one folder of their own, which holds links to the project's `assets` and `examples`.
Numbers, digests and paths of the scratch folder may differ from the page; words may not.

    python tests/docs/blocks.py            # every block of every page
    python tests/docs/blocks.py README.md  # one page
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LINKED: Final = ("assets", "examples")
"""Folders of the project that a page's commands may name."""
TIMEOUT_S: Final = 1800.0
"""Longest time of one command [s]."""
_FENCE: Final = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_NUMBER: Final = re.compile(r"(sha256:)?\b[0-9a-f]{12,64}\b…?|[-+±]?\d+(?:[.,]\d+)*")
ANY_LINES: Final = "..."


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: str
    """Path of the page, relative to the project."""
    line: int
    """Line of its fence."""
    language: str
    """`console` or `python`."""
    slow: bool
    """Whether it or a block before it on the page is marked slow."""
    text: str
    """What stands in it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command with the output that the page shows."""

    command: str
    """Shell command."""
    output: tuple[str, ...]
    """Lines that follow it on the page; empty where the page shows none."""


class BlockError(AssertionError):
    """A block that does not do what the page says."""


def pages() -> list[str]:
    """Return README and every page of the documentation, relative to the project."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page that can be run."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[Block] = []
    slow = False
    for match in _FENCE.finditer(text):
        indent, language, attributes, body = match.groups()
        if language in ("console", "python"):
            slow = slow or "slow" in attributes.split()
            lines = [line.removeprefix(indent) for line in body.splitlines()]
            number = text.count("\n", 0, match.start()) + 1
            found.append(Block(page=page, line=number, language=language, slow=slow, text="\n".join(lines)))
    return found


def steps_of(block: Block) -> list[Step]:
    """Return the commands of a console block, each with the output after it."""
    steps: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            steps.append(Step(command=line[2:], output=()))
        elif steps and steps[-1].command.endswith("\\"):
            steps[-1] = Step(command=f"{steps[-1].command}\n{line}", output=())
        elif steps:
            steps[-1] = Step(command=steps[-1].command, output=(*steps[-1].output, line))
        elif line.strip():
            raise BlockError(f"{block.page}:{block.line}: {line!r} stands before any command: begin it with `$ `")
    return steps


def run_block(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a block in the page's folder; raises `BlockError` where it fails or prints something else."""
    if block.language == "python":
        path = folder / f"block_{block.line}.py"
        path.write_text(block.text + "\n", encoding="utf-8")
        _run(block, f"{sys.executable} {path.name}", folder, environment)
        return
    for step in steps_of(block):
        printed = _run(block, step.command, folder, environment)
        if step.output and not matches(step.output, printed.splitlines()):
            shown = "\n".join(step.output)
            raise BlockError(f"{block.page}:{block.line}: `{step.command}` printed\n{printed}\nand not\n{shown}")


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Return whether lines are those of the page, numbers apart; `...` stands for any lines."""
    wanted, actual = [_masked(line) for line in expected], [_masked(line) for line in printed]
    return _matches(wanted, actual)


def _matches(wanted: list[str], actual: list[str]) -> bool:
    if not wanted:
        return not any(actual)
    if wanted[0] == ANY_LINES:
        return any(_matches(wanted[1:], actual[skipped:]) for skipped in range(len(actual) + 1))
    return bool(actual) and wanted[0] == actual[0] and _matches(wanted[1:], actual[1:])


def _masked(line: str) -> str:
    return " ".join(_NUMBER.sub("#", line).split())


def _run(block: Block, command: str, folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise BlockError(f"{block.page}:{block.line}: `{command}` ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def scratch_environment(home: Path) -> dict[str, str]:
    """Return an environment with a home of its own and our programs on its path."""
    kept = {name: os.environ[name] for name in ("LANG", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ}
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    return {**kept, "HOME": str(home), "PATH": path, "COLUMNS": "120", "COUSINS_STORE": str(home / "store")}


def link_project(folder: Path) -> None:
    """Put links to the folders that commands may name into a page's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)


def run_pages(names: Sequence[str], *, slow: bool) -> Iterator[tuple[Block, float, str]]:
    """Run the blocks of pages and yield each with its seconds and error; a page ends at its first error."""
    with tempfile.TemporaryDirectory(prefix="cousins-docs-") as scratch:
        environment = scratch_environment(Path(scratch))
        for name in names:
            folder = Path(scratch) / name.replace("/", "_")
            link_project(folder)
            for block in blocks_of(name):
                if block.slow and not slow:
                    break
                started, error = time.monotonic(), ""
                try:
                    run_block(block, folder, environment)
                except (BlockError, subprocess.TimeoutExpired) as failure:
                    error = str(failure)
                yield block, time.monotonic() - started, error
                if error:
                    break


def main() -> int:
    """Run every block of the pages named; return 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="*", help="pages, relative to the project (all)")
    arguments = parser.parse_args()
    failed = 0
    for block, seconds, error in run_pages(arguments.page or pages(), slow=True):
        failed += bool(error)
        sys.stdout.write(
            f"{'FAILED' if error else 'ok':6} {seconds:7.1f} s  {block.page}:{block.line}\n{error}\n"[:4000]
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
