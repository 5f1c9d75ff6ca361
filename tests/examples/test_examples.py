"""Examples are short, explained, and use the public API alone; CI runs each of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cousins

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("[0-9]*.py"))
MAX_LINES = 80
PROJECT = ("cousins", "sim", "flows", "tests", "benchmarks")


def modules_of(tree: ast.Module) -> set[str]:
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return names | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_explained_and_uses_the_public_api_alone(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_LINES
    assert "\n\n" in (ast.get_docstring(tree) or "")
    ours = {
        name for name in modules_of(tree) if name.split(".")[0] in ("cousins", "sim", "flows", "tests", "benchmarks")
    }
    assert ours <= {"cousins"}
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cousins"
    }
    assert used <= set(cousins.__all__)


def test_every_public_name_is_shown_in_an_example() -> None:
    text = "\n".join(path.read_text() for path in EXAMPLES)
    assert [name for name in cousins.__all__ if f"cousins.{name}" not in text] == ["__version__"]


def test_examples_are_numbered_without_holes() -> None:
    assert [path.stem[:2] for path in EXAMPLES] == [f"{number:02d}" for number in range(1, len(EXAMPLES) + 1)]
