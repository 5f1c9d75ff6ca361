"""An audit that could not ask is not an audit that found nothing."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from supply_chain.audit import audit, locked_versions


def program(answer: Any, *, code: int = 0, message: str = "") -> list[str]:
    """Return the command line of a program that answers as pip-audit does."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    script = f"import sys; print({text!r}); sys.stderr.write({message!r}); sys.exit({code})"
    return [sys.executable, "-c", script]


def test_nothing_known_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(program({"dependencies": [{"name": "numpy", "version": "2.4.6", "vulns": []}]})) == 0
    assert "1 packages, 0 with known vulnerabilities, 0 not audited" in capsys.readouterr().out


def test_a_vulnerability_ends_with_1_and_names_the_version_that_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"id": "PYSEC-2099-1", "fix_versions": ["2.5"]}
    answer = {"dependencies": [{"name": "numpy", "version": "2.4.6", "vulns": [fault]}]}
    assert audit(program(answer, code=1)) == 1
    assert "numpy 2.4.6: PYSEC-2099-1, mended in 2.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (program("", code=1, message="Traceback\nConnectionError: no route"), "ConnectionError: no route"),
        (program({"error": "gone"}, code=1), "no message"),
        (
            program({"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}),
            "it knows none of the packages",
        ),
    ],
)
def test_a_database_out_of_reach_ends_with_3_and_says_so(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(words) == 3
    printed = capsys.readouterr().out
    assert f"could not be reached ({reason})" in printed
    assert "This says nothing about the packages" in printed


def test_what_is_audited_is_the_lock() -> None:
    lines = locked_versions()
    assert all(line.count("==") == 1 for line in lines)
    assert len(lines) > 200
    assert not [line for line in lines if "+" in line]
