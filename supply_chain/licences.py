"""Refuse what is installed under a licence that is not allowed: `make licences`.

Each package that is installed is held against the tables of `licence_tables.py`: its metadata (`License-Expression`,
else `License`, else classifiers), the libraries that its wheel bundles, and with `--modules` byte strings of GPL
libraries inside its compiled modules (half a minute). A licence that is not known is refused like one that is not
allowed. The base install has no copyleft beyond LGPL and MPL. Exit code 1 where anything is refused.

    python -m supply_chain.licences [--modules] [--list]
"""

from __future__ import annotations

import argparse
import mmap
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from license_expression import get_spdx_licensing
from packaging.requirements import Requirement

from supply_chain.licence_tables import (
    ALLOWED_EXCEPTIONS,
    ALLOWED_IN_ONE_SET,
    LIBRARIES,
    MARKS,
    PERMISSIVE,
    STATED,
    STATED_FOR_PREFIX,
    STRONG_COPYLEFT,
    WEAK_COPYLEFT,
    WORDS,
)
from supply_chain.requirement_files import FILES, normalised, read_pins

PROJECT = "cousins"
LIBRARY_FILE = re.compile(r"^lib(?P<name>.+?)(?:-[0-9a-f]{8})?(?:[-.][0-9][\w.]*)?\.so(?:\.[\w.]*)?$")
"""Name of a bundled library, with the hash that wheel tools add and its version."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why one package is refused."""

    package: str
    """Normalised name."""
    message: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        return f"{self.package}: {self.message}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", action="store_true", help="search compiled modules for linked GPL libraries")
    parser.add_argument("--list", action="store_true", help="print every package with its licence")
    arguments = parser.parse_args()
    installed = tuple(distributions())
    if arguments.list:
        for package in sorted(installed, key=name_of):
            print(f"{name_of(package)}\t{licence_of(package) or 'unknown'}")
    findings = [*check_installed(installed), *(check_modules(installed) if arguments.modules else ())]
    for finding in findings:
        print(finding)
    print(f"{len(installed)} packages, {len(findings)} refused")
    sys.exit(1 if findings else 0)


def check_installed(installed: Iterable[Distribution]) -> Iterator[Finding]:
    """Yield what is wrong with packages by their metadata and their bundled libraries."""
    sets = lock_files_of_packages()
    for package in installed:
        name = name_of(package)
        if name != PROJECT:
            yield from check_licence(name, licence_of(package), sets.get(name, ""))
            yield from check_libraries(name, bundled_libraries(package))
        else:
            yield from check_base(package)


def check_licence(name: str, licence: str, lock_file: str) -> Iterator[Finding]:
    """Yield the finding where a licence is unknown or not allowed; `lock_file` is the set that brings the package."""
    if not licence:
        yield Finding(package=name, message="no licence that is known; read its files and state it in STATED")
    elif not is_allowed(licence, more=ALLOWED_IN_ONE_SET.get(lock_file, frozenset())):
        yield Finding(package=name, message=f"{licence} is not allowed (licence_tables.py says what is)")


def check_libraries(name: str, libraries: Iterable[str]) -> Iterator[Finding]:
    """Yield findings for the bundled libraries of a package, by their names without `lib`."""
    listed = STRONG_COPYLEFT[name].contains if name in STRONG_COPYLEFT else ()
    for library in libraries:
        licence = LIBRARIES.get(library, "")
        if not licence:
            yield Finding(
                package=name, message=f"bundles lib{library}, whose licence is not known; add it to LIBRARIES"
            )
        elif not is_allowed(licence) and f"lib{library}" not in listed:
            yield Finding(package=name, message=f"bundles lib{library} under {licence}, which is not listed for it")


def check_base(project: Distribution) -> Iterator[Finding]:
    """Yield the packages with strong copyleft that the base install or an extra not listed for them would bring."""
    for text in project.requires or ():
        requirement = Requirement(text)
        name, condition = normalised(requirement.name), str(requirement.marker or "")
        if name in STRONG_COPYLEFT:
            extra = re.search(r'extra == "([\w-]+)"', condition)
            if extra is None or extra[1] not in STRONG_COPYLEFT[name].extras:
                source = f"the extra {extra[1]}" if extra else "the base install"
                yield Finding(package=name, message=f"{STRONG_COPYLEFT[name].licence}, comes with {source}")
    for name in STRONG_COPYLEFT:
        if lock_files_of_packages().get(name) in ("base", "run"):
            yield Finding(package=name, message="stands in base.txt or run.txt; it may come with its extras alone")


def check_modules(installed: Iterable[Distribution]) -> Iterator[Finding]:
    """Yield packages whose compiled modules contain GPL libraries that are not listed for them."""
    for package in installed:
        name = name_of(package)
        listed = STRONG_COPYLEFT[name].contains if name in STRONG_COPYLEFT else ()
        contained = {mark for path in compiled_files(package) for mark in marks_of(path)}
        for mark in sorted(contained - set(listed)):
            yield Finding(package=name, message=f"its modules contain {mark} (GPL), which is not listed for it")


@cache
def lock_files_of_packages() -> dict[str, str]:
    """Return the lock file that brings each package, by normalised name."""
    return {pin.name: name for name in FILES for pin in read_pins(name)}


def name_of(package: Distribution) -> str:
    """Return a package's normalised name."""
    return normalised(package.metadata["Name"])


def licence_of(package: Distribution) -> str:
    """Return a package's licence as an SPDX expression, empty where neither metadata nor tables say it."""
    name, metadata = name_of(package), package.metadata
    if stated := STATED.get(name) or next((v for k, v in STATED_FOR_PREFIX.items() if name.startswith(k)), ""):
        return stated
    if expression := metadata.get("License-Expression"):
        return str(expression)
    if licence := as_expression(metadata.get("License") or ""):
        return licence
    classifiers = (text.split(" :: ") for text in metadata.get_all("Classifier") or ())
    stated_words = [parts[-1] for parts in classifiers if parts[0] == "License" and len(parts) > 2]
    licences = {as_expression(words) for words in stated_words}
    return licences.pop() if len(licences) == 1 else ""


def as_expression(words: str) -> str:
    """Return the SPDX expression of what a `License` field says, empty where it is not understood."""
    words = words.strip()
    if licence := WORDS.get(words.lower()):
        return licence
    return words if words and "\n" not in words and _parsed(words) is not None else ""


def is_allowed(expression: str, *, more: frozenset[str] = frozenset()) -> bool:
    """Return whether an SPDX expression can be satisfied with allowed licences; `more` are allowed besides."""
    parsed = _parsed(expression)
    return parsed is not None and _is_allowed(parsed, PERMISSIVE | WEAK_COPYLEFT | more)


def _parsed(expression: str):  # type: ignore[no-untyped-def]  # boolean.py has no types
    licensing = get_spdx_licensing()
    ours = {"LicenseRef-TOST-1.0", "LicenseRef-NVIDIA", "FTL"}
    tree = licensing.parse(expression, validate=False)
    unknown = {str(key) for key in licensing.unknown_license_keys(tree)} - ours if tree is not None else {expression}
    return None if unknown else tree


def _is_allowed(node, allowed: frozenset[str]) -> bool:  # type: ignore[no-untyped-def]  # boolean.py has no types
    text = str(node)
    if text in allowed:
        return True
    if type(node).__name__ == "LicenseWithExceptionSymbol":
        return str(node.exception_symbol) in ALLOWED_EXCEPTIONS and str(node.license_symbol) in allowed
    if not node.args:
        return False
    parts = [_is_allowed(part, allowed) for part in node.args]
    return any(parts) if node.operator.strip().upper() == "OR" else all(parts)


def bundled_libraries(package: Distribution) -> list[str]:
    """Return the names, without `lib`, of the shared libraries in a package's `*.libs` folders."""
    names = set()
    for file in package.files or ():
        if file.parts[0].endswith(".libs") and (match := LIBRARY_FILE.match(file.name)):
            names.add(match["name"])
    return sorted(names)


def compiled_files(package: Distribution) -> Iterator[Path]:
    """Yield the compiled modules and libraries of a package that hold anything."""
    for file in package.files or ():
        if ".so" in file.suffixes:
            path = Path(str(package.locate_file(file)))
            if path.is_file() and path.stat().st_size:
                yield path


def marks_of(path: Path) -> list[str]:
    """Return the GPL libraries whose byte strings a file contains."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [name for mark, name in MARKS.items() if data.find(mark) >= 0]


if __name__ == "__main__":
    main()
