"""Asset paths of a USD file, walked layer by layer before any stage is opened.

Opening a stage follows `../..`, absolute paths and links without asking. Here each layer is opened alone, so a file
outside the root is named but never read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pxr import Sdf, Tf, UsdUtils

from cousins.findings import Finding

LAYER_SUFFIXES: Final = frozenset({".usd", ".usda", ".usdc", ".usdz"})
"""Extensions that a composition arc may name."""
IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".exr", ".hdr", ".tif", ".tiff", ".avif", ".ktx", ".ktx2"})
"""Extensions that an attribute may name besides."""
MAX_LAYERS: Final = 2000
"""Most layers that are walked."""
URI_PATTERN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""A scheme such as `http:` or `file:`."""
DRIVE_PATTERN: Final = re.compile(r"[A-Za-z]:|\\\\")
"""A Windows drive or share."""


def check_paths(path: Path, root: Path | None = None) -> list[Finding]:
    """Return findings about the asset paths of a USD file and of every layer that it references inside `root`.

    Without a root it is the file's own folder.
    """
    root = (root or path.parent).resolve()
    findings: list[Finding] = []
    waiting = [str(path.resolve())]
    visited: set[str] = set()
    while waiting and len(visited) < MAX_LAYERS:
        identifier = waiting.pop(0)
        if identifier in visited:
            continue
        visited.add(identifier)
        next_layers, layer_findings = _check_layer(identifier, root)
        findings += layer_findings
        waiting += next_layers
    if waiting:
        findings.append(
            Finding(
                rule="too-many-layers",
                severity="error",
                where=path.name,
                message=f"more than {MAX_LAYERS} layers",
                fix="Flatten the stage with usdcat --flatten.",
            )
        )
    return findings


def error_text(error: Exception) -> str:
    """Return USD's error message about a file, or a note where the message holds invalid UTF-8."""
    try:
        return " ".join(str(error).split()).split(" : ", 1)[-1][:300]
    except UnicodeDecodeError:
        return "it holds bytes that are no UTF-8"


def _check_layer(identifier: str, root: Path) -> tuple[list[str], list[Finding]]:
    layer_path = _relative(identifier, root)
    try:
        layer = Sdf.Layer.FindOrOpen(identifier)
        if layer is None:
            return [], [_unreadable_layer(layer_path, "no USD layer")]
        composed = set(layer.GetCompositionAssetDependencies())
        asset_paths = _asset_paths(layer)
    except (Tf.ErrorException, UnicodeDecodeError) as error:
        return [], [_unreadable_layer(layer_path, error_text(error))]
    findings: list[Finding] = []
    next_layers: list[str] = []
    for asset in sorted({*asset_paths, *composed} - {""}):
        problem = _problem(asset, identifier, root, composed=asset in composed)
        if problem is not None:
            findings.append(_path_finding(problem, layer_path, asset))
        elif asset in composed:
            next_layers.append(layer.ComputeAbsolutePath(asset))
    return next_layers, findings


def _asset_paths(layer: Sdf.Layer) -> list[str]:
    """Return every asset path in a layer, also those in metadata, clips and variants."""
    asset_paths: list[str] = []

    def collect(asset: str) -> str:
        asset_paths.append(asset)
        return asset

    UsdUtils.ModifyAssetPaths(layer, collect)
    return asset_paths


def _problem(asset: str, identifier: str, root: Path, *, composed: bool) -> str | None:
    """Return the id of the rule that an asset path breaks, None for a good one."""
    if DRIVE_PATTERN.match(asset) or asset.startswith(("/", "\\")):
        return "absolute-path"
    if URI_PATTERN.match(asset):
        return "uri-path"
    outer = asset.split("[", 1)[0]
    package = identifier.split("[", 1)[0] if "[" in identifier else None
    if package is not None or identifier.endswith(".usdz"):
        return _problem_in_package(outer, identifier)
    target = Path(identifier).parent / outer
    if not Path(_normalized(target)).is_relative_to(root):
        return "escaping-path"
    if not target.resolve().is_relative_to(root):
        return "link-out-of-folder"
    extension = target.suffix.lower()
    if extension not in (LAYER_SUFFIXES if composed else LAYER_SUFFIXES | IMAGE_SUFFIXES):
        return "foreign-file-type"
    if not target.is_file() and not any(mark in outer for mark in ("<UDIM>", "#", "${")):
        return "missing-file"
    return None


def _problem_in_package(asset: str, identifier: str) -> str | None:
    inner = identifier.split("[", 1)[1].rstrip("]") if "[" in identifier else ""
    depth = len(Path(inner).parent.parts)
    for part in Path(asset).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return "escaping-path"
    return None if Path(asset).suffix.lower() in LAYER_SUFFIXES | IMAGE_SUFFIXES else "foreign-file-type"


def _normalized(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        else:
            parts.append(part)
    return str(Path(*parts))


def _relative(identifier: str, root: Path) -> str:
    return identifier.removeprefix(f"{root}/")


def _unreadable_layer(layer_path: str, message: str) -> Finding:
    return Finding(
        rule="unreadable-layer",
        severity="error",
        where=layer_path,
        message=f"the layer cannot be parsed: {message}",
        fix="Open it with usdcat and mend or re-export it.",
    )


def _path_finding(problem: str, layer_path: str, asset: str) -> Finding:
    messages = {
        "absolute-path": ("is absolute", "Write it relative to the layer, such as ./textures/a.png."),
        "uri-path": ("is an address", "Copy the file beside the layer and name it by a relative path."),
        "escaping-path": (
            "leads out of the folder",
            "Copy the file into the folder and point there, or name the folder that holds both with --root.",
        ),
        "link-out-of-folder": ("is a link that leads out of the folder", "Replace the link by the file."),
        "foreign-file-type": ("is no USD layer or image", "Convert it to .usda, .usdc, .png or .jpg."),
        "missing-file": ("does not exist", "Add the file or remove the path."),
    }
    message, fix = messages[problem]
    severity = "warning" if problem == "foreign-file-type" else "error"
    return Finding(
        rule=problem,
        severity="error" if severity == "error" else "warning",
        where=layer_path,
        message=f"the asset path {asset[:200]!r} {message}",
        fix=fix,
    )
