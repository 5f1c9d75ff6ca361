"""`cousins setup nerfstudio`: build the environment that a back-end runs in, apart from ours."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from cousins.child_processes import bound_command
from cousins.errors import InputError, StageError

NEED_BYTES = 8_000_000_000
"""Room that nerfstudio with CUDA's libraries takes."""
STAMP = "cousins-requirements.sha256"
"""File that a finished environment holds: without it, or with other requirements, it is built again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins setup`."""
    parser.add_argument("name", choices=("nerfstudio",))


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Build the environment where it is not there yet."""
    from cousins.reconstruct.backends.nerfstudio import REQUIREMENTS
    from cousins.store import file_digest
    from flows.download import free_bytes

    folder = environment_of(arguments.name)
    digest = file_digest(REQUIREMENTS)
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return {"environment": str(folder), "built": False}, 0
    if free_bytes(folder) < NEED_BYTES:
        raise InputError(
            f"{free_bytes(folder) / 1e9:.1f} GB free at {folder.parent}",
            expected=f"{NEED_BYTES / 1e9:.0f} GB",
            hint="Make room, or set COUSINS_STORE to a folder on another disk.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    words = [str(folder / "bin/python"), "-m", "pip", "install", "-r", str(REQUIREMENTS)]
    code = subprocess.run(bound_command(words), stdout=sys.stderr, check=False).returncode
    if code != 0:
        raise StageError(f"pip ended with code {code}; its last lines above say why", stage=f"setup {arguments.name}")
    stamp.write_text(digest)
    return {"environment": str(folder), "built": True}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return where it lies."""
    return f"{result['environment']} {'is ready' if result['built'] else 'was ready already'}"


def environment_of(name: str) -> Path:
    """Return the folder of a back-end's environment, beside the values of the store."""
    from flows.pipeline.run_scan import default_store

    return default_store().root / "environments" / name
