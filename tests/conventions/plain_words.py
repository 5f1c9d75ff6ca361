"""Count names and docstrings that a colleague from another lab would not understand; the counts may only fall.

`make lint` runs this file. It reads every Python file of the project with `ast` and counts, by folder:

- vague names: assigned names (variables, arguments, attributes, functions, classes) that say nothing of their value;
- unclear docstring words, as whole words;
- shapeless functions: public functions that take or return arrays and whose docstring gives no shape.

`plain_words.json` beside this file holds the counts as they were last committed. A higher count is an error that names
the places; a lower one is written with `--update`. Two public classes of one name (`Config` apart) are always an error.

    python tests/conventions/plain_words.py             # check, exit code 1 where a count has grown
    python tests/conventions/plain_words.py --update    # write the counts, where none has grown
    python tests/conventions/plain_words.py --list cousins/scene    # every place in a folder or file
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RATCHET: Final = Path(__file__).with_suffix(".json")
FOLDERS: Final = ("cousins", "sim", "flows", "benchmarks", "examples", "tests")
CODE: Final = ("cousins", "sim", "flows")
"""Packages whose public functions and classes are held to the rules on shapes and names."""

VAGUE_NAMES: Final = frozenset(
    """
    asked at chosen found given heard here hers his kept known lay made many meant mine most much of one ones others
    ours own said seen shown stand stands such taken tell telling tells that theirs there these thing things this those
    told wanted way ways what where whereto who whole whom whose yours
    """.split()  # noqa: SIM905
)
"""Names that say nothing of the value that they hold, compared without leading underscores."""
VAGUE_PARTS: Final = frozenset(("told", "tell", "tells", "hears", "theirs", "riders", "judged", "desk", "partner"))
"""Words that make a longer name vague too; `desk` is allowed where it is furniture."""
FURNITURE: Final = re.compile(r"(^|/)(synthetic|scenes|comparison|examples|families)(/|$)|demo|messy|test_")
"""Paths in which a desk is a desk."""
UNCLEAR_WORDS: Final = re.compile(
    r"\b(tell|tells|told|telling|hear|hears|heard|whoever|whomever|theirs|riders?|lest|aloud|anew|whereto|thereof)\b|"
    r"\b(say|says|said) (how|what|which|whether|so|nothing)\b",
    re.IGNORECASE,
)
"""Words that stand for nothing measurable in a docstring."""
SHAPE: Final = re.compile(r"\[[^\[\]]*\]|\bshape\b|\bscalar\b|\b\d+ ?[x×] ?\d+\b|quaternion", re.IGNORECASE)
ARRAY: Final = re.compile(r"\b(Array|ndarray|NDArray|Floats|Ints|Bools|ArrayLike)\b")


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """One finding."""

    path: str
    """File, relative to the project's root."""
    line: int
    """Line number, from 1."""
    text: str
    """Name or word that was found."""


def assigned_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every name that a module assigns, arguments and definitions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname is not None:
            yield getattr(node, "lineno", 1), node.asname


def is_vague(name: str, path: str) -> bool:
    """Return whether a name says nothing of its value."""
    bare = name.strip("_").lower()
    if bare in VAGUE_NAMES:
        return True
    parts = set(bare.split("_")) | {word.lower() for word in re.findall(r"[A-Z][a-z]+", name)}
    return bool((parts & VAGUE_PARTS) - ({"desk"} if FURNITURE.search(path) else set()))


def unclear_words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every unclear word in a module's docstrings, those of fields included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for match in UNCLEAR_WORDS.finditer(node.value.value):
                yield node.lineno + node.value.value.count("\n", 0, match.start()), match.group()


def shapeless_functions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and name of every public function with arrays in its signature and no shape in its docstring."""
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.Module | ast.ClassDef) or getattr(owner, "name", "").startswith("_"):
            continue
        for node in owner.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                hints = [item.annotation for item in (*node.args.args, *node.args.kwonlyargs, node.args.vararg) if item]
                signature = " ".join(ast.unparse(hint) for hint in (*hints, node.returns) if hint is not None)
                if ARRAY.search(signature) and not SHAPE.search(ast.get_docstring(node) or ""):
                    yield node.lineno, node.name


def project_files() -> list[str]:
    """Return the project's Python files, relative to its root."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def survey() -> tuple[dict[str, list[Place]], dict[str, int]]:
    """Return the places by rule, and the number of assigned names by top folder."""
    places: dict[str, list[Place]] = defaultdict(list)
    totals: Counter[str] = Counter()
    for path in project_files():
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = list(assigned_names(tree))
        totals[path.split("/")[0]] += len(names)
        places["vague_names"] += [
            Place(path=path, line=line, text=name) for line, name in names if is_vague(name, path)
        ]
        places["unclear_words"] += [Place(path=path, line=line, text=word) for line, word in unclear_words(tree)]
        if path.split("/")[0] in CODE:
            places["shapeless_functions"] += [
                Place(path=path, line=line, text=name) for line, name in shapeless_functions(tree)
            ]
    return dict(places), dict(totals)


def doubled_classes() -> dict[str, list[str]]:
    """Return the public classes of the packages that are defined in more than one module, `Config` apart."""
    modules: dict[str, list[str]] = defaultdict(list)
    for path in project_files():
        if path.split("/")[0] in CODE:
            for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Config":
                    modules[node.name].append(path)
    return {name: paths for name, paths in sorted(modules.items()) if len(paths) > 1}


def counts_of(places: dict[str, list[Place]]) -> dict[str, dict[str, int]]:
    """Return the number of places by rule and top folder."""
    return {
        rule: dict(sorted(Counter(place.path.split("/")[0] for place in listed).items()))
        for rule, listed in sorted(places.items())
    }


def main() -> int:
    """Compare the counts with the ratchet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write lower counts to the ratchet file")
    parser.add_argument("--list", metavar="PATH", help="print every place below a folder or in a file")
    arguments = parser.parse_args()
    places, totals = survey()
    if arguments.list is not None:
        for rule, listed in places.items():
            for place in sorted(listed):
                if place.path.startswith(arguments.list.rstrip("/")):
                    sys.stdout.write(f"{place.path}:{place.line}: {rule}: {place.text}\n")
        return 0
    counts = counts_of(places)
    allowed = json.loads(RATCHET.read_text()) if RATCHET.exists() else counts
    grown = [
        f"{rule} in {folder}: {count}, at most {allowed.get(rule, {}).get(folder, 0)} (--list {folder})"
        for rule, by_folder in counts.items()
        for folder, count in by_folder.items()
        if count > allowed.get(rule, {}).get(folder, 0)
    ]
    grown += [f"class {name} in {', '.join(paths)}" for name, paths in doubled_classes().items()]
    vague, names = len(places["vague_names"]), sum(totals.values())
    share = f"vague names {vague} of {names} ({100 * vague / names:.2f} %)"
    sys.stdout.write(f"{share}; {json.dumps(counts['vague_names'])}\n")
    for line in grown:
        sys.stdout.write(f"error: {line}\n")
    if arguments.update and not [line for line in grown if not line.startswith("class")]:
        RATCHET.write_text(json.dumps(counts, indent=1) + "\n")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
