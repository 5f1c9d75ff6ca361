"""`cousins models`, `cousins models get NAME`: weights of learned back-ends, listed and fetched."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from cousins.errors import InputError
from flows.reporting.formatting import table

if TYPE_CHECKING:
    from cousins.weights import Weights, WeightsFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins models`."""
    parser.add_argument("action", nargs="?", choices=("list", "get"), default="list", help="what to do (list)")
    parser.add_argument("name", nargs="?", metavar="NAME", help="model to fetch")
    parser.add_argument(
        "--sha256",
        action="append",
        default=[],
        metavar="FILE=HEX",
        help="what a file's SHA-256 must be, where the list does not say",
    )


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """List the models, or fetch one."""
    from cousins.weights import KNOWN_MODELS, find_weights, weights_folder
    from flows.download import download, free_bytes

    if arguments.action == "list":
        return {"folder": str(weights_folder()), "models": [_model_summary(weights) for weights in KNOWN_MODELS]}, 0
    if arguments.name is None:
        raise InputError("no name", expected="the model to fetch", hint="`cousins models` lists them.")
    weights = find_weights(arguments.name)
    hashes = required_hashes(weights, arguments.sha256)
    folder = weights_folder() / weights.name
    missing_bytes = sum(file.size_bytes or 0 for file in weights.files if not (folder / file.name).is_file())
    if free_bytes(folder) < missing_bytes:
        raise InputError(
            f"{free_bytes(folder) / 1e6:.0f} MB free at {folder}",
            expected=f"{missing_bytes / 1e6:.0f} MB",
            hint="Make room, or set COUSINS_MODELS to a folder on another disk.",
        )
    new = [
        file.name
        for file in weights.files
        if download(file.address, folder / file.name, sha256=hashes[file.name], progress=_show_progress)
    ]
    return {"model": weights.name, "folder": str(folder), "fetched": new, "licence": weights.licence}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the list, or what was fetched."""
    if "models" in result:
        rows = [
            [model["name"], "there" if model["there"] else "", model["size"], model["licence"], model["what"]]
            for model in result["models"]
        ]
        lines = table(["model", "here", "MB", "licence", "what"], rows)
        return "\n".join(
            [*lines, "", f"folder  {result['folder']} (COUSINS_MODELS)", "fetch   cousins models get NAME"]
        )
    fetched = ", ".join(result["fetched"]) or "nothing new, all was there"
    return f"{result['model']}: {fetched}; in {result['folder']} ({result['licence']})"


def required_hashes(weights: Weights, texts: list[str]) -> dict[str, str]:
    """Return the SHA-256 that each file must have, ours or the user's; raises `InputError` where there is neither."""
    user_hashes = dict(_hash_of_file(text, weights) for text in texts)
    lacking = [file.name for file in weights.files if file.sha256 is None and file.name not in user_hashes]
    if lacking:
        flags = " ".join(f"--sha256 {name}=HEX" for name in lacking)
        addresses = ", ".join(file.address for file in weights.files if file.name in lacking)
        raise InputError(
            f"no known SHA-256 of {', '.join(lacking)} of {weights.name}",
            expected="the hashes that its owner publishes, so that nothing else is taken for it",
            hint=f"Look them up at {addresses} and type `cousins models get {weights.name} {flags}`.",
        )
    return {file.name: file.sha256 or user_hashes[file.name] for file in weights.files}


def _hash_of_file(text: str, weights: Weights) -> tuple[str, str]:
    name, _, value = text.rpartition("=")
    names = [file.name for file in weights.files]
    name = name or (names[0] if len(names) == 1 else "")
    if name not in names or re.fullmatch(r"[0-9a-fA-F]{64}", value) is None:
        raise InputError(
            f"--sha256 {text}",
            expected=f"FILE=HEX with 64 digits and one of {', '.join(names)}",
            hint=f"Such as --sha256 {names[0]}={'0' * 8}...",
        )
    return name, value.lower()


def _model_summary(weights: Weights) -> dict[str, Any]:
    from cousins.weights import weights_folder

    folder = weights_folder() / weights.name
    sizes = [file.size_bytes for file in weights.files]
    return {
        "name": weights.name,
        "what": weights.purpose,
        "licence": weights.licence,
        "there": all((folder / file.name).is_file() for file in weights.files),
        "size": "" if None in sizes else f"{sum(size or 0 for size in sizes) / 1e6:.0f}",
        "files": [_file(file) for file in weights.files],
    }


def _file(file: WeightsFile) -> dict[str, Any]:
    return {"name": file.name, "address": file.address, "sha256": file.sha256, "size_bytes": file.size_bytes}


def _show_progress(have: int, total: int | None) -> None:
    if sys.stderr.isatty():
        share = "" if not total else f" of {total / 1e6:.0f}"
        sys.stderr.write(f"\r{have / 1e6:.0f}{share} MB" + ("\n" if have == total else ""))
