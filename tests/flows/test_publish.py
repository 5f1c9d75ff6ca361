"""A finished folder is moved to its place atomically."""

from __future__ import annotations

from pathlib import Path

import pytest

from cousins.errors import SceneError
from flows.execution.publish import publish, require_free


def folder_with(path: Path, name: str) -> Path:
    path.mkdir(parents=True)
    (path / name).write_text(name)
    return path


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    publish(folder_with(tmp_path / "work/fresh", "scene.json"), tmp_path / "out/scene")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scene"]
    assert (tmp_path / "out/scene/scene.json").read_text() == "scene.json"
    assert not (tmp_path / "work/fresh").exists()


def test_an_old_folder_is_replaced_and_leaves_nothing(tmp_path: Path) -> None:
    folder_with(tmp_path / "scene", "old.txt")
    publish(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene"]
    assert [path.name for path in (tmp_path / "scene").iterdir()] == ["new.txt"]


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    require_free(tmp_path, force=False)


def test_a_file_or_link_is_never_free(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with pytest.raises(SceneError, match="something that is no scene"):
            require_free(tmp_path / name, force=True)
