"""Which code a stage runs: the part of a result's key that changes when the program does."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path

import cousins
from cousins.store import json_digest

LADDER = (
    "capture",
    "scale",
    "fusion",
    "segment",
    "reconstruct",
    "affordances",
    "families",
    "rooms",
    "scene",
    "fidelity",
    "importers",
    "vary",
    "pack",
    "regress",
)
"""Packages of the library from the bottom up; none imports from above itself (a checked contract)."""
LEARNING = ("bodies", "envs", "recording", "tasks", "train", "worlds")
"""Packages of `sim` that read packs and make none (a checked contract)."""
STAGE_FILES = ("pipeline/stages.py", "reporting/pictures.py", "reporting/glb.py")
"""Files of `flows` that decide what a stage makes."""
LEARNING_FILES = ("pipeline/first_policy.py",)
"""The same for stages that train."""
LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "pillow",
    "trimesh",
    "manifold3d",
    "fast-simplification",
    "scikit-image",
    "xatlas",
    "coacd",
    "usd-core",
)
"""Libraries that are always installed and whose version may change a result."""
EXTRAS = (
    "av",
    "mujoco",
    "ncnn",
    "opencv-python-headless",
    "pillow-heif",
    "pybullet",
    "pycolmap",
    "torch",
    "transformers",
)
"""The same where they are installed."""


@cache
def code_version(top: str) -> str:
    """Return the digest of all code that a stage of package `top` can reach.

    `sim` reaches all but `LEARNING`, and `learning` that too.
    """
    above = LADDER[LADDER.index(top) + 1 :] if top in LADDER else ()
    library = Path(cousins.__file__).parent
    folders = [path for path in library.iterdir() if path.name not in above]
    root = library.parent
    files = [root / "flows" / name for name in (*STAGE_FILES, *(LEARNING_FILES if top == "learning" else ()))]
    for folder in [*folders, *([root / "sim"] if top in ("sim", "learning") else [])]:
        files += [folder] if folder.is_file() else [path for path in folder.rglob("*") if path.is_file()]
    left_out = {"__pycache__", *(() if top == "learning" else LEARNING)}
    hashed_files = sorted(path for path in files if not left_out.intersection(path.relative_to(root).parts))
    code = {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in hashed_files}
    return json_digest({"code": code, "libraries": installed_versions()})


@cache
def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on, and Python's."""
    installed = {name: importlib.metadata.version(name) for name in LIBRARIES}
    extras = {name: version for name in EXTRAS if (version := _version(name)) is not None}
    return installed | extras | {"python": platform.python_version()}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
