"""Which packages an installation without extras lacks, and the environment of a process that does not see them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def required_distributions(requirements: Iterable[str]) -> set[str]:
    """Return the canonical names of the distributions that requirements bring, with all that these require in turn."""
    names: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        names.add(name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(text), wanted) for text in _requirements_of(name)]
    return names


@cache
def brought_by_extras() -> dict[str, list[str]]:
    """Return the `modules` and `distributions` here that the base dependencies do not bring, in any order of depth."""
    base = required_distributions(PROJECT["dependencies"]) | {canonicalize_name(PROJECT["name"])}
    installed = {canonicalize_name(found.name) for found in importlib.metadata.distributions()}
    modules = [
        module
        for module, names in importlib.metadata.packages_distributions().items()
        if base.isdisjoint(map(canonicalize_name, names))
    ]
    return {"modules": sorted(modules), "distributions": sorted(installed - base)}


def environment_without(hidden: dict[str, list[str]], folder: Path) -> dict[str, str]:
    """Return the environment variables of a process that does not see the hidden packages; writes to `folder`."""
    path = folder / "hidden_packages.json"
    path.write_text(json.dumps(hidden))
    hook = Path(__file__).with_name("without_extras")
    return os.environ | {"PYTHONPATH": f"{hook}{os.pathsep}{ROOT}", "HIDDEN_PACKAGES": str(path)}


def _requirements_of(name: str) -> list[str]:
    """Return what an installed distribution requires; nothing for one that is not installed."""
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
