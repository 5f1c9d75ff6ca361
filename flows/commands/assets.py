"""`cousins assets add FOLDER --licence SPDX`, `cousins assets ls`: your own assets as material for cousins."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import CousinsError, InputError
from cousins.importers.units import UNITS, size_doubts
from flows.commands.arguments import SEED
from flows.reporting.formatting import table

if TYPE_CHECKING:
    from cousins.families.library import LibraryAsset
    from cousins.importers.units import LengthUnit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins assets`."""
    parser.add_argument("action", choices=("add", "ls"), help="what to do")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="folder with GLB, OBJ, STL, PLY, USDZ")
    parser.add_argument("--licence", metavar="SPDX", help="licence of the assets, such as CC-BY-4.0")
    parser.add_argument("--library", type=Path, metavar="DIR", help="library to add to or list (COUSINS_LIBRARY)")
    parser.add_argument(
        "--unit",
        choices=UNITS,
        help="unit of the numbers in the meshes; their format tells where not given, else metres",
    )
    parser.add_argument("--up", choices=("y", "z"), help="up axis of the meshes; their format tells where not given")
    parser.add_argument("--seed", type=SEED, default=0, help="root of all randomness (0)")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Add a folder to a library, or list one."""
    from cousins.families.library import library_folder, load_library, require_licence

    library = arguments.library or library_folder()
    if arguments.action == "ls":
        assets = load_library(library) if (library / "assets").is_dir() else ()
        return {"library": str(library), "assets": [_summary(entry) for entry in assets]}, 0
    if arguments.folder is None:
        raise InputError(
            "no folder", expected="the folder with the assets", hint="Type `cousins assets add FOLDER --licence SPDX`."
        )
    licence = require_licence(arguments.licence)
    return _add(arguments.folder, library, licence, arguments)


def format_result(result: dict[str, Any]) -> str:
    """Return what is in the library, or what became of each file."""
    assets = result.get("assets", result.get("added", []))
    rows = [
        [
            row["name"],
            "×".join(f"{100 * side:.1f}" for side in row["size_m"]),
            f"{row['mass_kg']:.2g}",
            str(row["hulls"]),
            row["affords"],
            row["licence"],
        ]
        for row in assets
    ]
    lines = table(["asset", "size cm", "mass kg", "hulls", "affords", "licence"], rows)
    lines += _note_lines(result.get("added", []))
    lines += [f"failed: {row['file']}: {row['why']}" for row in result.get("failed", [])]
    if result.get("reused"):
        lines.append(f"{result['reused']} were there already")
    return "\n".join([*lines, "", f"library  {result['library']} (--library, COUSINS_LIBRARY)"])


def _add(folder: Path, library: Path, licence: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Add what is not there yet, each asset as soon as it is made; a failure is reported and stops nothing.

    The exit code is 1 where a file failed, by its own fault or ours.
    """
    from cousins.families.library import list_assets, save_asset
    from cousins.importers.library import asset_file_digest, failure_reason, find_asset_files, import_asset

    known_digests = {asset.source_digest for asset in list_assets(library)}
    sources = find_asset_files(folder)
    added, failed, reused = [], [], 0
    for number, source in enumerate(sources):
        _show_progress(number, len(sources), source.name)
        if asset_file_digest(source, licence, arguments.up, arguments.unit) in known_digests:
            reused += 1
            continue
        try:
            asset = import_asset(source, licence=licence, up=arguments.up, unit=arguments.unit, seed=arguments.seed)
        except CousinsError as error:
            failed.append({"file": str(source.path), "why": failure_reason(error)})
            continue
        except Exception as error:
            logging.exception("this is a bug in cousins, met in %s", source.path)
            why = f"a bug in cousins ({type(error).__name__}: {error})"
            failed.append({"file": str(source.path), "why": f"{why[:200]}; please report it with its traceback"})
            continue
        save_asset(library, asset)
        added.append(_summary(asset) | {"warnings": list(_doubts(asset, arguments.unit))})
    _show_progress(len(sources), len(sources), "")
    result = {"library": str(library), "licence": licence, "added": added, "reused": reused, "failed": failed}
    return result, 1 if failed else 0


def _doubts(entry: LibraryAsset, unit: LengthUnit | None) -> tuple[str, ...]:
    mass_kg = float(sum(link.mass_kg.value for link in entry.asset.links))
    return size_doubts(float(entry.asset.size_m.max()), mass_kg, unit=unit)


def _note_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return the doubts and notes about added assets, those of several in one line."""
    lines = [f"warning: {row['name']}: {text}" for row in rows for text in row["warnings"]]
    names: dict[str, list[str]] = {}
    for row in rows:
        for text in row["fallbacks"]:
            names.setdefault(text, []).append(row["name"])
    return lines + [
        f"note: {alike[0] if len(alike) == 1 else f'{len(alike)} assets'}: {text}" for text, alike in names.items()
    ]


def _summary(entry: LibraryAsset) -> dict[str, Any]:
    signature = entry.signature
    affords = [
        f"{len(signature.grasps)} grasps" if signature.grasps else "",
        f"holds {1e3 * signature.cavity.volume_m3:.2f} l" if signature.cavity else "",
        f"carries {2e2 * signature.support.radius_m:.0f} cm" if signature.support else "",
        f"{len(signature.joints)} joints" if signature.joints else "",
    ]
    return {
        "name": entry.name,
        "label": entry.asset.label,
        "size_m": [float(side) for side in entry.asset.size_m],
        "mass_kg": float(sum(link.mass_kg.value for link in entry.asset.links)),
        "hulls": sum(len(link.pieces) for link in entry.asset.links),
        "affords": ", ".join(word for word in affords if word) or "nothing measured",
        "joints": len(entry.asset.joints),
        "licence": entry.licence,
        "origin": entry.origin,
        "fallbacks": list(entry.asset.fallbacks),
    }


def _show_progress(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} {name[:60]:<60}" + ("\n" if done == total else ""))
