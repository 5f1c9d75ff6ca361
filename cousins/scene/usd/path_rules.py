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

LAYERS: Final = frozenset({".usd", ".usda", ".usdc", ".usdz"})
"""Extensions that a composition arc may name."""
IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".exr", ".hdr", ".tif", ".tiff", ".avif", ".ktx", ".ktx2"})
"""Extensions that an attribute may name besides."""
MAX_LAYERS: Final = 2000
"""Most layers that are walked."""
URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""A scheme such as `http:` or `file:`."""
DRIVE: Final = re.compile(r"[A-Za-z]:|\\\\")
"""A Windows drive or share."""


def check_paths(path: Path) -> list[Finding]:
    """Return what is wrong with the asset paths of a USD file and of every layer that it reaches inside its folder."""
    root = path.parent.resolve()
    findings: list[Finding] = []
    waiting = [str(path.resolve())]
    seen: set[str] = set()
    while waiting and len(seen) < MAX_LAYERS:
        identifier = waiting.pop(0)
        if identifier in seen:
            continue
        seen.add(identifier)
        more, found = _check_layer(identifier, root)
        findings += found
        waiting += more
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
    """Return what USD says about a file; where it quotes bytes that are no UTF-8, that is what is said."""
    try:
        return " ".join(str(error).split()).split(" : ", 1)[-1][:300]
    except UnicodeDecodeError:
        return "it holds bytes that are no UTF-8"


def _check_layer(identifier: str, root: Path) -> tuple[list[str], list[Finding]]:
    where = _relative(identifier, root)
    try:
        layer = Sdf.Layer.FindOrOpen(identifier)
        if layer is None:
            return [], [_unreadable(where, "no USD layer")]
        composed = set(layer.GetCompositionAssetDependencies())
        named = _named(layer)
    except (Tf.ErrorException, UnicodeDecodeError) as error:
        return [], [_unreadable(where, error_text(error))]
    findings: list[Finding] = []
    more: list[str] = []
    for asset in sorted({*named, *composed} - {""}):
        problem = _problem(asset, identifier, root, composed=asset in composed)
        if problem is not None:
            findings.append(_finding(problem, where, asset))
        elif asset in composed:
            more.append(layer.ComputeAbsolutePath(asset))
    return more, findings


def _named(layer: Sdf.Layer) -> list[str]:
    """Return every asset path in a layer, also those in metadata, clips and variants."""
    named: list[str] = []

    def note(asset: str) -> str:
        named.append(asset)
        return asset

    UsdUtils.ModifyAssetPaths(layer, note)
    return named


def _problem(asset: str, identifier: str, root: Path, *, composed: bool) -> str | None:
    """Return the id of the rule that an asset path breaks, None for a good one."""
    if DRIVE.match(asset) or asset.startswith(("/", "\\")):
        return "absolute-path"
    if URI.match(asset):
        return "uri-path"
    outer = asset.split("[", 1)[0]
    package = identifier.split("[", 1)[0] if "[" in identifier else None
    if package is not None or identifier.endswith(".usdz"):
        return _problem_in_package(outer, identifier)
    target = Path(identifier).parent / outer
    if not Path(_normal(target)).is_relative_to(root):
        return "escaping-path"
    if not target.resolve().is_relative_to(root):
        return "link-out-of-folder"
    extension = target.suffix.lower()
    if extension not in (LAYERS if composed else LAYERS | IMAGES):
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
    return None if Path(asset).suffix.lower() in LAYERS | IMAGES else "foreign-file-type"


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        else:
            parts.append(part)
    return str(Path(*parts))


def _relative(identifier: str, root: Path) -> str:
    return identifier.removeprefix(f"{root}/")


def _unreadable(where: str, message: str) -> Finding:
    return Finding(
        rule="unreadable-layer",
        severity="error",
        where=where,
        message=f"the layer cannot be parsed: {message}",
        fix="Open it with usdcat and mend or re-export it.",
    )


def _finding(problem: str, where: str, asset: str) -> Finding:
    messages = {
        "absolute-path": ("is absolute", "Write it relative to the layer, such as ./textures/a.png."),
        "uri-path": ("is an address", "Copy the file beside the layer and name it by a relative path."),
        "escaping-path": ("leads out of the scene's folder", "Copy the file into the folder and point there."),
        "link-out-of-folder": ("is a link that leads out of the scene's folder", "Replace the link by the file."),
        "foreign-file-type": ("is no USD layer or image", "Convert it to .usda, .usdc, .png or .jpg."),
        "missing-file": ("does not exist", "Add the file or remove the path."),
    }
    message, fix = messages[problem]
    severity = "warning" if problem == "foreign-file-type" else "error"
    return Finding(
        rule=problem,
        severity="error" if severity == "error" else "warning",
        where=where,
        message=f"the asset path {asset[:200]!r} {message}",
        fix=fix,
    )
