"""`cousins assets add FOLDER --licence SPDX`, `cousins assets ls`: your own assets as material for cousins."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cousins.errors import CousinsError, InputError
from cousins.families.library import LibraryAsset, checked_licence, keep, library_folder, listed, load_library
from cousins.importers.library import asset_from, source_digest, sources_of, why_not
from flows.reporting.formatting import table


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Add a folder to a library, or list one."""
    library = arguments.library or library_folder()
    if arguments.action == "ls":
        assets = load_library(library) if (library / "assets").is_dir() else ()
        return {"library": str(library), "assets": [_summary(one) for one in assets]}, 0
    if arguments.folder is None:
        raise InputError("no folder", expected="the folder with the assets", hint="Type `cousins assets add FOLDER`.")
    licence = checked_licence(arguments.licence)
    return _add(arguments.folder, library, licence, arguments)


def told(result: dict[str, Any]) -> str:
    """Return what is in the library, or what became of each file."""
    assets = result.get("assets", result.get("added", []))
    rows = [
        [
            one["name"],
            "×".join(f"{100 * side:.1f}" for side in one["size_m"]),
            f"{one['mass_kg']:.2g}",
            str(one["hulls"]),
            one["affords"],
            one["licence"],
        ]
        for one in assets
    ]
    lines = table(["asset", "size cm", "mass kg", "hulls", "affords", "licence"], rows)
    lines += [f"{one['file']}: {one['why']}" for one in result.get("failed", [])]
    if result.get("reused"):
        lines.append(f"{result['reused']} were there already")
    return "\n".join([*lines, "", f"library  {result['library']} (--library, COUSINS_LIBRARY)"])


def _add(folder: Path, library: Path, licence: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Add what is not there yet, each asset as soon as it is made; what fails is told and stops nothing."""
    there = {one.source_digest for one in listed(library)}
    sources = sources_of(folder)
    added, failed, reused = [], [], 0
    for number, source in enumerate(sources):
        _tell(number, len(sources), source.name)
        if source_digest(source, licence, arguments.up) in there:
            reused += 1
            continue
        try:
            one = asset_from(source, licence=licence, up=arguments.up, seed=arguments.seed)
        except CousinsError as error:
            failed.append({"file": str(source.path), "why": why_not(error)})
            continue
        keep(library, one)
        added.append(_summary(one))
    _tell(len(sources), len(sources), "")
    result = {"library": str(library), "licence": licence, "added": added, "reused": reused, "failed": failed}
    return result, 0 if added or reused else 1


def _summary(one: LibraryAsset) -> dict[str, Any]:
    signature = one.signature
    affords = [
        f"{len(signature.grasps)} grasps" if signature.grasps else "",
        f"holds {1e3 * signature.cavity.volume_m3:.2f} l" if signature.cavity else "",
        f"carries {2e2 * signature.support.radius_m:.0f} cm" if signature.support else "",
        f"{len(signature.joints)} joints" if signature.joints else "",
    ]
    return {
        "name": one.name,
        "label": one.asset.label,
        "size_m": [float(side) for side in one.asset.size_m],
        "mass_kg": float(sum(link.mass_kg.value for link in one.asset.links)),
        "hulls": sum(len(link.pieces) for link in one.asset.links),
        "affords": ", ".join(word for word in affords if word) or "nothing measured",
        "joints": len(one.asset.joints),
        "licence": one.licence,
        "origin": one.origin,
        "fallbacks": list(one.asset.fallbacks),
    }


def _tell(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} {name[:60]:<60}" + ("\n" if done == total else ""))
