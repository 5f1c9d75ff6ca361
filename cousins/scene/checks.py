"""Check a scene folder or anyone's USD file: findings, each with what to do about it.

Foreign USD is opened only in a child process with limits, so that a file made to crash the parser is a finding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cousins.errors import SceneError
from cousins.findings import Finding
from cousins.sandbox import SandboxError, run_sandboxed
from cousins.scene.scene_folder import compiled_files, read_scene
from cousins.scene.scenes import Scene

USD_SUFFIXES: Final = (".usd", ".usda", ".usdc", ".usdz")
"""Extensions of USD files."""
MAX_USD_BYTES: Final = 4 * 2**30
"""Largest USD file that is opened."""


def check(path: Path | str, *, root: Path | None = None) -> list[Finding]:
    """Return the findings about a scene folder, a folder with one USD file, or a USD file.

    A USD file may reference what lies below `root`, its own folder where None. Raises `SceneError` where there is
    nothing to check.
    """
    path = Path(path)
    if root is not None and not (root.is_dir() and path.resolve().is_relative_to(root.resolve())):
        raise SceneError(
            f"{path.name!r} outside of {str(root)!r}",
            expected="a folder above the file",
            hint=f"Type --root {path.parent}, or a folder above it.",
        )
    if path.is_dir():
        if (path / "scene.json").is_file():
            return _check_folder(path)
        return check_usd(_single_usd_file(path), root=root)
    if path.is_file() and path.suffix.lower() in USD_SUFFIXES:
        return check_usd(path, root=root)
    description = f"{path.name!r}, which is {'no USD file' if path.exists() else 'not there'}"
    raise SceneError(
        description,
        expected="a scene folder or a .usd, .usda, .usdc or .usdz file",
        hint="Give such a path; `cousins scan FILE -o SCENE` makes a scene folder of a mesh or a capture.",
    )


def check_usd(path: Path, *, root: Path | None = None) -> list[Finding]:
    """Return the findings about a USD file, which is opened in a child process; it may reference what `root` holds."""
    if path.stat().st_size > MAX_USD_BYTES:
        return [_unreadable_file(path, f"it is larger than {MAX_USD_BYTES // 2**30} GiB")]
    try:
        output = run_sandboxed("cousins.scene.usd.check_worker", path, root or path.parent)
    except SandboxError as error:
        return [_unreadable_file(path, str(error))]
    return [Finding(**record) for record in json.loads(output.splitlines()[-1])]


def _check_folder(folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings += _check_compiled(read_scene(folder), folder)
    except SceneError as error:
        findings.append(
            Finding(
                rule="unreadable-scene",
                severity="error",
                where="scene.json",
                message=f"found {error.found}; expected {error.expected}",
                fix=error.hint,
            )
        )
    for name in ("scene.usda", "scene.usdz"):
        if (folder / name).is_file():
            findings += check_usd(folder / name)
        else:
            findings.append(_stale_file(name, "is missing"))
    return findings


def _check_compiled(scene: Scene, folder: Path) -> list[Finding]:
    """Return a finding for each file that is not what scene.json and the meshes compile to."""
    expected = compiled_files(scene)
    findings = []
    for name in sorted(expected):
        path = folder / name
        if not path.is_file():
            findings.append(_stale_file(name, "is missing"))
        elif path.read_bytes() != expected[name]:
            findings.append(_stale_file(name, "differs from what scene.json and its meshes compile to"))
    return findings


def _single_usd_file(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in USD_SUFFIXES and path.is_file())
    root_layers = [path for path in files if path.stem == "scene"]
    if len(root_layers or files) != 1:
        raise SceneError(
            f"{len(files)} USD files in {folder.name!r}",
            expected="a scene folder or a single USD file",
            hint="Give the path of the root layer.",
        )
    return (root_layers or files)[0]


def _unreadable_file(path: Path, message: str) -> Finding:
    return Finding(
        rule="unreadable-usd",
        severity="error",
        where=path.name,
        message=message,
        fix="Do not open this file elsewhere before you know where it comes from; export it anew.",
    )


def _stale_file(name: str, message: str) -> Finding:
    return Finding(
        rule="stale-file",
        severity="warning",
        where=name,
        message=f"{name} {message}",
        fix="Write the scene folder anew; edit scene.json or the assets, not what is compiled from them.",
    )
