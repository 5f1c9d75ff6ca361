"""Baselines: they come back whole, and one of another pack, suite or engine is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.regress.bands import learned_bands
from cousins.regress.baselines import (
    Baseline,
    GateBaseline,
    baseline_path,
    read_baseline,
    require_comparable,
    write_baseline,
)
from cousins.regress.suites import PolicySpec, Suite
from tests.cousins.regress.evidence_for_tests import PROVENANCE, baseline_of

SUITE = Suite(name="s", pack="pack", tasks=("push",), engines=("mujoco",), policy=PolicySpec(path="a.py"))


def baseline() -> Baseline:
    gates = GateBaseline(provenance=PROVENANCE, cousins={4: "d"}, bands={4: learned_bands([{"x": 1.0}] * 20)})
    return Baseline(
        suite=SUITE.digest,
        pack_name="desk",
        pack_digest="0" * 64,
        tests={"push-mujoco": baseline_of([True, False] * 6, chaotic="it flips")},
        gates={"mujoco": gates},
    )


def test_a_baseline_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = baseline_path(tmp_path / "suite.toml")
    assert path.name == "suite.baseline.json"
    write_baseline(path, baseline())
    assert read_baseline(path) == baseline()
    assert read_baseline(path).digest == baseline().digest


def test_an_edited_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(path, baseline())
    path.write_text(path.read_text().replace('"success": false', '"success": true', 1))
    with pytest.raises(InputError, match="not of its SHA-256: it was edited"):
        read_baseline(path)
    path.write_text("{")
    with pytest.raises(InputError, match="cannot be trusted"):
        read_baseline(path)
    with pytest.raises(InputError, match="regress accept SUITE"):
        read_baseline(tmp_path / "none.json")


def test_a_baseline_of_something_else_is_refused() -> None:
    require_comparable(baseline(), SUITE, pack_name="desk", source="b")
    with pytest.raises(InputError, match="a baseline of pack 'desk'; expected one of 'kitchen'"):
        require_comparable(baseline(), SUITE, pack_name="kitchen", source="b")
    with pytest.raises(InputError, match="expected push-pybullet among them"):
        require_comparable(baseline(), replace(SUITE, engines=("pybullet",)), pack_name="desk", source="b")
    with pytest.raises(InputError, match="the same episodes, seed, alpha and gates"):
        require_comparable(baseline(), replace(SUITE, seed=1), pack_name="desk", source="b")
