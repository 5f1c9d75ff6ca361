"""Where a scene may be put is decided before any work, and a finished run knows its own result."""

from __future__ import annotations

from pathlib import Path

import pytest

from cousins.errors import SceneError
from flows.execution.publish import published_run, require_free


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    assert require_free(tmp_path, force=False) == {}
    assert require_free(tmp_path / "absent", force=False) == {}


def test_a_file_or_link_is_never_free(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with pytest.raises(SceneError, match="something that is no scene"):
            require_free(tmp_path / name, force=True)


@pytest.mark.parametrize("report", ["", "[" * 100_000, '"text"', '{"request": 3, "digest": "x"}', "\ud800"])
def test_a_report_that_names_no_run_is_nobodys_result(tmp_path: Path, report: str) -> None:
    (tmp_path / "report.json").write_bytes(report.encode("utf-8", "surrogatepass"))
    assert published_run(tmp_path) is None


def test_a_report_names_the_run_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"request": "a", "digest": "b"}')
    assert published_run(tmp_path) == ("a", "b")
