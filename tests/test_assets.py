"""Every asset folder is complete: its record, licence and picture, and the files with the digests that it lists."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cousins.capture.io.capture_folder import load_capture

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path for path in (ROOT / "assets").iterdir() if path.is_dir() and path.name != "__pycache__")
KEYS = {"name", "description", "licence", "source", "files"}
LICENCES = {"Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT"}
MAX_BYTES = 6_000_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

each_asset = pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])


def asset_files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in paths}


def record_of(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "asset.toml").read_text(encoding="utf-8"))


@each_asset
def test_an_asset_folder_has_its_record_readme_licence_and_picture(folder: Path) -> None:
    assert {"asset.toml", "README.md", "LICENSE", "preview.png"} <= asset_files(folder)
    assert (folder / "preview.png").read_bytes().startswith(PNG_SIGNATURE)


@each_asset
def test_a_record_has_all_keys_and_a_known_licence(folder: Path) -> None:
    record = record_of(folder)
    assert set(record) == KEYS
    assert all(record[key] for key in KEYS)
    assert record["name"] == folder.name
    assert record["licence"] in LICENCES
    assert record["licence"] in (folder / "LICENSE").read_text(encoding="utf-8")


@each_asset
def test_a_record_lists_every_file_with_its_digest(folder: Path) -> None:
    digests = {
        path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in asset_files(folder) - {"asset.toml"}
    }
    assert record_of(folder)["files"] == digests


@each_asset
def test_an_asset_is_small(folder: Path) -> None:
    assert sum((folder / path).stat().st_size for path in asset_files(folder)) <= MAX_BYTES


@pytest.mark.parametrize("path", sorted((ROOT / "assets").glob("*/make.py")), ids=lambda path: path.parent.name)
def test_the_program_of_an_asset_still_imports(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"make_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)


def test_every_folder_is_in_the_table_of_the_readme() -> None:
    readme = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{folder.name}/` |" in readme for folder in FOLDERS)


def test_the_demo_capture_is_a_capture_with_depth_photos_and_known_gravity() -> None:
    capture = load_capture(ROOT / "assets" / "demo_capture" / "capture")
    assert len(capture.frames) == 52
    assert sum(frame.color_path is not None for frame in capture.frames) == 18
    assert capture.gravity_known
