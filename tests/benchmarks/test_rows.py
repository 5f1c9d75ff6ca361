"""Rows of RESULTS.md: declared beside the measurement, read without importing it, and what the kept page holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(
    path
    for folder in (".", "learning", "places", "regression", "robots", "robustness")
    for path in (BENCHMARKS / folder).glob("*.py")
)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import rows

    return rows


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import results

    return results


def test_the_page_of_the_kept_results_is_the_file_in_the_tree(results: ModuleType) -> None:
    assert results.page() == (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")


def test_every_program_with_rows_has_a_table(results: ModuleType) -> None:
    with_rows = {path for path in PROGRAMS if "\nROWS = (\n" in path.read_text(encoding="utf-8")}
    assert set(results.PROGRAMS.values()) == with_rows


def test_rows_are_read_where_the_program_cannot_be_imported(rows: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import not_installed\n"
        "from rows import Row, at_most, entry\n"
        'ROWS = (Row(quantity="error [mm]", bar="≤ 3", value=entry("error", "mm"), met=at_most(3.0)),)\n'
        "not_installed.measure()\n"
    )
    (row,) = rows.read_rows(program)
    assert row.line({"error": {"mm": 2.5}}) == "| error [mm] | ≤ 3 | 2.500 | yes |"
    assert row.line({"error": {"mm": 3.5}}) == "| error [mm] | ≤ 3 | 3.500 | **no** |"


def test_rows_that_use_another_name_of_the_program_are_refused(rows: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text('from rows import Row\nLIMIT = 3\nROWS = (Row(quantity="a", value=LIMIT),)\n')
    with pytest.raises(NameError, match="LIMIT"):
        rows.read_rows(program)


def test_checks_compare_the_value_with_the_bar(rows: ModuleType) -> None:
    assert rows.at_most(1.0)(1.0)
    assert not rows.at_most(1.0)(None)
    assert not rows.at_least(1.0)(0.999)
    assert rows.is_complete("11 of 11, 1 refused")
    assert not rows.is_complete("10 of 11")
    assert rows.is_zero("0 of 160000")
    assert not rows.is_zero("10 of 160000")


def test_getters_read_nested_results(rows: ModuleType) -> None:
    result = {"a": {"value": 0.111, "low": -0.05, "high": 0.2}, "k": 3, "n": 4}
    assert rows.interval("a")(result) == "11 [-5, 20]"
    assert rows.interval("a", form="+.1f")(result) == "+11.1 [-5.0, +20.0]"
    assert rows.points("a", "high")(result) == pytest.approx(20.0)
    assert rows.count_of("k", "n")(result) == "3 of 4"
    assert rows.largest(rows.entry("k"), rows.entry("n"))(result) == 4
    assert rows.optional("missing")(result) == "not run"


@pytest.mark.parametrize(
    "name", ["determinism.py", "fusion.py", "robustness/real_files.py", "learning/throughput_peers.py"]
)
def test_a_program_prints_its_help(name: str) -> None:
    command = [sys.executable, str(BENCHMARKS / name), "--help"]
    process = subprocess.run(command, cwd=BENCHMARKS.parent, capture_output=True, text=True, check=True)
    assert "--quick" in process.stdout
