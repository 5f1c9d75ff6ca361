"""The planted faults follow the code, and fail where they no longer do."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/robustness"))

import planted_faults  # noqa: E402


def test_there_are_twenty_two_of_different_names() -> None:
    assert len({fault.name for fault in planted_faults.FAULTS}) == len(planted_faults.FAULTS) == 22


@pytest.mark.parametrize("fault", planted_faults.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_one_edit_that_leaves_valid_python_and_has_tests(fault: planted_faults.Fault) -> None:
    text = (ROOT / fault.path).read_text(encoding="utf-8")
    faulty = fault.apply(text)
    assert faulty != text
    ast.parse(faulty)
    assert all((ROOT / test).is_file() for test in fault.tests)


def test_a_fault_whose_text_is_gone_or_stands_twice_is_an_error() -> None:
    fault = planted_faults.FAULTS[0]
    with pytest.raises(ValueError, match="holds 0 times what it replaces, not once"):
        fault.apply("")
    with pytest.raises(ValueError, match="holds 2 times what it replaces, not once"):
        fault.apply(fault.old * 2)
