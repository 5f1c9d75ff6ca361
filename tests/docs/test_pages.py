"""What the documentation tells a reader to type works: fast blocks here, slow ones by `make docs-check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.cli import COMMANDS
from tests.docs.blocks import (
    ROOT,
    Block,
    BlockError,
    blocks_of,
    link_project,
    matches,
    pages,
    run_block,
    scratch_environment,
    steps_of,
)

MAX_README_LINES = 90


@pytest.mark.parametrize("page", [page for page in pages() if any(not block.slow for block in blocks_of(page))])
def test_the_fast_blocks_of_a_page_do_what_it_says(page: str, tmp_path: Path) -> None:
    environment = scratch_environment(tmp_path / "home")
    link_project(tmp_path / "page")
    for block in blocks_of(page):
        if block.slow:
            break
        run_block(block, tmp_path / "page", environment)


def test_numbers_and_digests_may_differ_and_words_may_not() -> None:
    shown = ["desk: 5 objects, digest 0123456789ab", "...", "time    3.2 s"]
    assert matches(shown, ["desk: 6 objects, digest fedcba987654", "a", "b", "time    11.0 s"])
    assert not matches(shown, ["desk: 6 objects, digest fedcba987654", "time    11.0 min"])
    assert not matches(["one line"], ["one line", "and another"])


def test_a_command_that_fails_or_prints_something_else_fails_the_page(tmp_path: Path) -> None:
    environment = scratch_environment(tmp_path)
    for text, message in (("$ exit 3", "ended with 3"), ("$ echo yes\nno", "printed\nyes")):
        block = Block(page="page.md", line=7, language="console", slow=False, text=text)
        with pytest.raises(BlockError, match=f"page.md:7: .*{message}"):
            run_block(block, tmp_path, environment)


def test_a_command_may_go_over_several_lines() -> None:
    block = Block(page="p", line=1, language="console", slow=False, text="$ echo a \\\n  b\na b\n$ true")
    assert [step.command for step in steps_of(block)] == ["echo a \\\n  b", "true"]
    assert steps_of(block)[0].output == ("a b",)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


def test_every_command_is_documented() -> None:
    reference = (ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in COMMANDS if f"`cousins {name}" not in reference] == []


def test_every_link_inside_the_documentation_leads_somewhere() -> None:
    broken = []
    for page in pages():
        folder = (ROOT / page).parent
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            if not re.match(r"[a-z]+:", target) and not (folder / target).exists():
                broken.append(f"{page}: {target}")
    assert broken == []
