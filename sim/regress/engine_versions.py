"""Other versions of an engine, each installed into a folder of its own that a simulating process finds first.

A folder holds the engine and what it needs, at the versions that this environment has of everything but the engine. It
is made by pip beside its place and moved there once it is whole, so an installation that is stopped leaves nothing. The
folders are kept (COUSINS_ENGINES, or the user's cache) and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cousins.child_processes import bound_command
from cousins.errors import InputError, OutputError
from cousins.publishing import move_new, staging_folder
from sim.physics.installed import ENGINES, require_engines
from sim.regress.provenance import engine_version

SHOWN_CHARACTERS: Final = 300
"""Length of pip's last words in an error [characters]."""
_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.+!_-]{0,40}")
_NAME_SEPARATORS: Final = re.compile(r"[-_.]+")


@dataclass(frozen=True, kw_only=True)
class EngineVersion:
    """An engine, as it is installed here or as another version of it."""

    engine: str
    """Name of the engine."""
    version: str
    """Version."""
    folder: Path | None = None
    """Folder with that version, which a process must find first; None for what is installed here."""

    def __str__(self) -> str:
        return f"{self.engine} {self.version}"


def parsed_engines(texts: Sequence[str]) -> list[EngineVersion]:
    """Return the engines of texts such as `mujoco=3.14.0,3.17.0` and `pybullet`, without folders yet.

    Raises `InputError` for an engine or version that cannot be, and for fewer than two.
    """
    engines = []
    for text in texts:
        name, separator, versions = text.partition("=")
        if name not in ENGINES or (separator and not all(map(_VERSION.fullmatch, versions.split(",")))):
            raise InputError(
                f"--engine {text!r}",
                expected=f"{' or '.join(ENGINES)}, alone or with versions",
                hint="Type for example --engine mujoco=3.14.0,3.17.0 --engine pybullet.",
            )
        if separator:
            engines += [EngineVersion(engine=name, version=version) for version in versions.split(",")]
        else:
            require_engines([name])
            engines.append(EngineVersion(engine=name, version=engine_version(name)))
    engines = list(dict.fromkeys(engines))
    if len(engines) < 2:
        raise InputError(
            f"{len(engines)} engine to compare",
            expected="two engines or versions at least",
            hint="Type for example --engine mujoco=3.14.0,3.17.0 --engine pybullet.",
        )
    return engines


def default_folder() -> Path:
    """Return where versions are installed: COUSINS_ENGINES, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_ENGINES") or cache / "cousins-engines")


def installed(engine: EngineVersion, *, root: Path | None = None) -> EngineVersion:
    """Return an engine with the folder that holds its version, installed where it is not there yet.

    A version that is installed here has none. Raises `InputError` where pip cannot get it.
    """
    if engine_version(engine.engine) == engine.version:
        return engine
    constraints = _constraints(engine.engine)
    digest = hashlib.sha256("\n".join([platform.python_version(), *constraints]).encode()).hexdigest()[:8]
    folder = (root or default_folder()) / f"{engine.engine}-{engine.version}-{digest}"
    if not folder.is_dir():
        with staging_folder(folder.parent) as staging:
            (staging / "constraints.txt").write_text("\n".join(constraints) + "\n")
            _install(engine, staging / "new", staging / "constraints.txt")
            try:
                move_new(staging / "new", folder)
            except OutputError:
                if not folder.is_dir():
                    raise
    return EngineVersion(engine=engine.engine, version=engine.version, folder=folder)


def _install(engine: EngineVersion, target: Path, constraints: Path) -> None:
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    words += ["--target", os.fspath(target), f"{engine.engine}=={engine.version}"]
    environment = os.environ | {"PIP_CONSTRAINT": os.fspath(constraints), "PIP_NO_INPUT": "1"}
    done = subprocess.run(bound_command(words), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("WARNING", "["))]
        raise InputError(
            f"no way to install {engine}: {' '.join(lines)[-SHOWN_CHARACTERS:] or 'pip ended without words'}",
            expected="a package registry that pip reaches and that has this version",
            hint=f"Type `python -m pip index versions {engine.engine}` to see which there are.",
        )


def _constraints(engine: str) -> list[str]:
    """Return the versions of everything that is installed here but the engine, sorted."""
    versions = {
        _NAME_SEPARATORS.sub("-", item.metadata["Name"]).lower(): item.version
        for item in importlib.metadata.distributions()
        if item.metadata["Name"]
    }
    return sorted(
        f"{name}=={version}" for name, version in versions.items() if name.partition("-")[0] not in (engine, "cousins")
    )
