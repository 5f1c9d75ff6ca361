"""What a result follows from beside the cousin: the versions of engine and libraries, the code, the CPU."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
from functools import cache
from pathlib import Path
from typing import Final

import cousins
from cousins.store import json_digest

CODE: Final = (
    "cousins/affordances",
    "cousins/codec.py",
    "cousins/errors.py",
    "cousins/families",
    "cousins/geometry.py",
    "cousins/importers",
    "cousins/meshes.py",
    "cousins/pack",
    "cousins/plugins.py",
    "cousins/quantities.py",
    "cousins/reconstruct",
    "cousins/rounding.py",
    "cousins/scene",
    "cousins/seeding.py",
    "cousins/vary",
    "sim/bodies",
    "sim/envs",
    "sim/physics",
    "sim/regress/episode_runs.py",
    "sim/regress/gate_values.py",
    "sim/regress/hybrid_sources.py",
    "sim/tasks",
    "sim/train/actors.py",
    "sim/train/policies.py",
    "sim/train/python_policies.py",
    "sim/validation",
    "sim/worlds",
)
"""Files and folders whose code decides the states of an episode or a gate value. A test compares them with what a run
imports."""
HARMLESS: Final = (
    "cousins/__init__.py",
    "cousins/capture",
    "cousins/child_processes.py",
    "cousins/disk_errors.py",
    "cousins/extras.py",
    "cousins/fusion",
    "cousins/parent_watch.py",
    "cousins/publishing.py",
    "cousins/raster",
    "cousins/regress",
    "cousins/sandbox.py",
    "cousins/segment",
    "cousins/store.py",
    "cousins/stored_arrays.py",
    "sim/__init__.py",
    "sim/regress",
    "sim/train",
)
"""What a run imports beside `CODE` and what decides no state: how captures become assets, how results are kept, what is
run and what is concluded."""
LIBRARIES: Final = ("numpy", "scipy", "numba", "trimesh", "gymnasium")
"""Libraries whose version may change a state."""
_INSTRUCTIONS: Final = re.compile(r"(sse|ssse|avx|fma|f16c|bmi|amx|asimd|sve|neon)\w*")


@cache
def code_digest() -> str:
    """Return the digest of the code and the versions of the libraries that decide states."""
    root = Path(cousins.__file__).parents[1]
    versions = {name: _version(name) for name in LIBRARIES} | {"python": platform.python_version()}
    files = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in code_files(root)
    }
    return json_digest({"code": files, "libraries": versions})


def code_files(root: Path) -> list[Path]:
    """Return the files of `CODE` below the folder that holds the packages."""
    files: list[Path] = []
    for name in CODE:
        path = root / name
        files += [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sorted(path for path in files if "__pycache__" not in path.parts)


@cache
def engine_version(engine: str) -> str:
    """Return the version of an engine's library."""
    return _version(engine)


@cache
def cpu_digest() -> str:
    """Return a digest of the CPU's instruction sets that change how numbers are rounded, 12 hexadecimal digits."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = platform.processor()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), text)
    flags = sorted({word for word in line.split() if _INSTRUCTIONS.fullmatch(word)})
    return json_digest([platform.machine(), flags])[:12]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
