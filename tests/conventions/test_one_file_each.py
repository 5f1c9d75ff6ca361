"""A format, a body or a segmenter is one file, a task is two: no other file of the packages spells its name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("cousins/capture/backends", "cousins/segment/backends", "sim/bodies/backends", "sim/tasks/backends")
TASK_FILES = {"sim/envs/registration.py", "sim/train/config.py"}
"""Lists the tasks under their Gymnasium ids; names those that want held exploration noise, without which they train."""
DEFAULTS = {"geometric", "sam", "gripper", "pusher", "push"}
"""Names that a command takes where none is typed, or suggests."""
WORDS = {"photos", "canonical", "transforms", "pull", "lift", "place", "stack", "gripper"}
"""Names that are also ordinary keys: a gripper's column, a piece of a message."""
NAMES = [
    (folder, path.stem)
    for folder in FOLDERS
    for path in sorted((ROOT / folder).glob("*.py"))
    if path.stem not in DEFAULTS | WORDS | {"__init__"}
]


def without_docstrings(path: Path) -> str:
    """Return a file's text without its docstrings, which may show a name in an example."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = text.replace(ast.get_docstring(node, clean=False) or "\0", "")
    return text


def spelled_in(name: str, file: Path) -> list[str]:
    quoted = re.compile(rf"""["']{re.escape(name)}["']|\b{re.escape(file.parent.name)}\.{re.escape(name)}\b""")
    files = (path for package in ("cousins", "sim", "flows") for path in sorted((ROOT / package).rglob("*.py")))
    return [str(path.relative_to(ROOT)) for path in files if path != file and quoted.search(without_docstrings(path))]


@pytest.mark.parametrize(("folder", "name"), NAMES)
def test_no_other_file_names_it(folder: str, name: str) -> None:
    naming_files = spelled_in(name, ROOT / folder / f"{name}.py")
    assert set(naming_files) <= (TASK_FILES if folder == "sim/tasks/backends" else set())


def test_all_folders_are_looked_into() -> None:
    assert {folder for folder, _ in NAMES} >= {FOLDERS[0], FOLDERS[2], FOLDERS[3]}
