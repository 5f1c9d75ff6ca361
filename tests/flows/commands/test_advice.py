"""Commands that messages advise: each is understood by the real parser, and those that need only files are run."""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import trimesh

from flows.cli import COMMANDS, _parse, run

ROOT = Path(__file__).parents[3]
QUOTED = re.compile(r"`(cousins [^`]+)`")
BARE = re.compile(rf"(?<![`\w])cousins (?:{'|'.join(COMMANDS)}) [^`.;,()'\"]*(?:\.\w+[^`.;,()'\"]*)*")
NUMBERS = re.compile(r"^(N|MM|MEASURED_MM|HZ|SEED|STEPS)$")
NOUNS = {
    "cousins pack scene 1",
    "cousins policy 1",
    "cousins policy 2",
    "cousins regress baseline",
    "cousins regress drift 1",
    "cousins regress minimal case 1",
    "cousins regress result 1",
}
"""Names of records."""
ACTION = re.compile(r"(assets|cell|models|pack|policy|recipe|regress) [a-z]+")
"""A mention of an action, without its arguments."""
VALUE = "VALUE"
"""Stands for what a message fills in."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module with what is filled in replaced, without docstrings."""
    tree = ast.parse(path.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(_part(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | docstrings:
            yield node.lineno, node.value


def _part(part: ast.expr) -> str:
    """Return a piece of a message; flags that are filled in are left out, other values replaced."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    is_flags = isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) and "flag" in part.value.id
    return "" if is_flags else VALUE


def advised_commands() -> list[tuple[str, str]]:
    """Return the place and the text of every command in a message."""
    advised = []
    for package in ("cousins", "sim", "flows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for line, text in texts(path):
                place = f"{path.relative_to(ROOT)}:{line}"
                quoted = QUOTED.findall(text)
                bare = BARE.findall(QUOTED.sub("", text))
                advised += [(place, " ".join(command.split())) for command in quoted + bare]
    return advised


ADVISED = advised_commands()


def test_the_messages_of_all_packages_are_looked_through() -> None:
    assert len(ADVISED) > 60
    assert {place.split("/")[0] for place, _ in ADVISED} == {"cousins", "sim", "flows"}


@pytest.mark.parametrize(("place", "command"), ADVISED, ids=[f"{place} {command}" for place, command in ADVISED])
def test_an_advised_command_is_understood(place: str, command: str) -> None:
    words = shlex.split(command.replace("[", "").replace("]", ""))[1:]
    words = ["1" if NUMBERS.match(word) else word for word in words]
    if (len(words) == 1 and words[0] in {*COMMANDS, VALUE}) or command in NOUNS:
        return
    if ACTION.fullmatch(" ".join(words)):
        words.append("--help")
    assert _parse(words, io.StringIO()) is not None or words[-1] == "--help"


def answer(*words: str | Path) -> tuple[int, dict[str, object]]:
    """Return the exit code and the JSON object of a command."""
    output = io.StringIO()
    code = run([*(str(word) for word in words), "--json"], output)
    return code, json.loads(output.getvalue())


def test_what_check_advises_for_a_mesh_without_physics_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = '#usda 1.0\n(\n defaultPrim = "Crate"\n metersPerUnit = 1\n upAxis = "Z"\n)\n'
    Path("crate.usda").write_text(head + 'def Cube "Crate"\n{\n double size = 0.2\n}\n')
    code, checked = answer("check", "crate.usda")
    assert code == 0
    (fix,) = [finding["fix"] for finding in checked["findings"] if finding["rule"] == "no-physics"]
    (command,) = QUOTED.findall(fix)
    code, scanned = answer(*command.replace("FILE", "crate.usda").replace("SCENE", "scene").split()[1:])
    assert code == 0
    (asset,) = scanned["assets"]
    assert asset["size_m"] == pytest.approx([0.2, 0.2, 0.2])


def test_what_check_advises_for_a_file_that_references_its_neighbour_works(tmp_path: Path) -> None:
    head = '#usda 1.0\n(\n defaultPrim = "Item"\n metersPerUnit = 1\n upAxis = "Z"\n)\n'
    for name, body in (
        ("shared/box.usda", 'def Cube "Item"\n{\n double size = 0.2\n}\n'),
        ("items/item.usda", 'def "Item" (prepend references = @../shared/box.usda@)\n{\n}\n'),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(head + body)
    code, refused = answer("check", tmp_path / "items/item.usda")
    assert code == 1
    (finding,) = refused["findings"]
    assert (finding["rule"], "--root" in finding["fix"]) == ("escaping-path", True)
    code, accepted = answer("check", tmp_path / "items/item.usda", "--root", tmp_path)
    assert (code, accepted["ok"]) == (0, True)
    code, added = answer("assets", "add", tmp_path, "--licence", "CC0-1.0", "--library", tmp_path / "library")
    assert code == 0
    assert [row["size_m"] for row in added["added"]] == [pytest.approx([0.2] * 3)] * 2
    code, wrong = answer("check", tmp_path / "items/item.usda", "--root", tmp_path / "shared")
    assert (code, wrong["error"]["kind"]) == (2, "SceneError")


def test_a_nut_in_millimetres_is_doubted_and_the_advised_unit_makes_it_a_nut(tmp_path: Path) -> None:
    (tmp_path / "nuts").mkdir()
    trimesh.creation.annulus(3.0, 6.0, 5.0).export(tmp_path / "nuts/nut.stl")
    trimesh.creation.box((60.0, 40.0, 15.0)).export(tmp_path / "nuts/bracket.stl")
    words = ("assets", "add", tmp_path / "nuts", "--licence", "CC0-1.0", "--library", tmp_path / "library")
    code, doubted = answer(*words)
    assert code == 1
    (nut,) = doubted["added"]
    (bracket,) = doubted["failed"]
    assert "11.9 m long and" in nut["warnings"][0]
    for text in (nut["warnings"][0], bracket["why"]):
        assert "--unit mm makes it" in text
    code, added = answer(*words, "--unit", "mm")
    assert (code, added["failed"]) == (0, [])
    assert sorted(max(row["size_m"]) for row in added["added"]) == pytest.approx([0.012, 0.06], abs=1e-4)
    assert [row["warnings"] for row in added["added"]] == [[], []]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("inspect", "box.stl"), "'box.stl', a finished mesh without frames"),
        (("check", "box.stl"), "'box.stl', which is no USD file"),
        (("scan", "arm.urdf", "-o", "S"), "'arm.urdf', the description of a thing with joints"),
        (("scan", "arm.dae", "-o", "S"), "'arm.dae', of a kind that is not read"),
        (("scan", "folder", "-o", "S", "--unit", "mm"), "--unit for 'folder', which is no finished mesh"),
    ],
)
def test_a_file_given_to_the_wrong_command_is_refused_with_the_right_one(
    words: tuple[str, ...], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trimesh.creation.box((0.1, 0.1, 0.1)).export("box.stl")
    Path("arm.urdf").write_text("<robot/>")
    Path("arm.dae").write_text("<COLLADA/>")
    Path("folder").mkdir()
    Path("folder/picture.png").write_bytes(b"")
    code, refused = answer(*words)
    assert (code, refused["error"]["found"]) == (2, problem)
    assert not Path("S").exists()
