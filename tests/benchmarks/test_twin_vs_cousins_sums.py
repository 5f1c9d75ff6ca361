"""Sums of the twin-versus-cousins measurement: pairs, intervals, trainings that did not learn, separate counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ARMS = ("twin", "noise", "cousins")
SPLITS = ("twin", "heldout_far", "shadow")
Outcome = Callable[[str, str, int, int], bool]


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from comparison.sums import summary

    return summary


def put(folder: Path, arm: str, seed: int, outcome: Outcome, **job: Any) -> str:
    """Write the result of a policy, eight cousins a split; return its name."""
    name = "-".join(str(part) for part in (arm, seed, *job.values()))
    splits = {
        split: {
            "tried": [
                {
                    "cousin": cousin,
                    "start": 0,
                    "success_at_end": outcome(arm, split, seed, cousin),
                    "success_once": True,
                    "failure": "" if outcome(arm, split, seed, cousin) else "lost",
                    "fault": "",
                }
                for cousin in range(8)
            ]
        }
        for split in SPLITS
    }
    job_record = {"task": "push", "arm": arm, "seed": seed, "first": None} | job
    record = {"job": job_record, "splits": splits, "curve": [], "seconds": 1.0}
    (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    return name


def outcome(arm: str, split: str, seed: int, cousin: int) -> bool:
    """Let cousins win 6 of 8 far and 4 of 8 in the shadow, noise 2, the twin none; in the twin all but one succeed."""
    if split == "twin":
        return not (arm == "noise" and seed == 1)
    return cousin < {"cousins": {"heldout_far": 6, "shadow": 4}[split], "noise": 2, "twin": 0}[arm]


def test_arms_are_paired_and_pooled_and_what_was_not_learned_is_named(tmp_path: Path, summary: Any) -> None:
    names = [put(tmp_path, arm, seed, outcome) for seed in (0, 1) for arm in ARMS]
    result = summary(tmp_path, names, arms=ARMS, splits=SPLITS)
    pooled = result["differences"]["cousins - twin"]["heldout_far+shadow"]
    assert pooled["value"] == pytest.approx(10 / 16)
    assert (pooled["pairs"], pooled["first_only"], pooled["second_only"]) == (32, 20, 0)
    assert 0.0 < pooled["low"] < pooled["value"] < pooled["high"] < 1.0
    assert result["differences"]["cousins - twin"]["twin"]["value"] == 0.0
    assert result["differences"]["noise - twin"]["heldout_far"]["value"] == pytest.approx(0.25)
    assert result["unlearned"] == ["push noise 1"]
    assert result["learned"]["cousins - noise"]["pairs"] == 16
    assert result["by_seed"]["shadow"]["cousins"] == [0.5, 0.5]
    assert result["failures"]["heldout_far"]["twin"] == {"lost": 16}
    assert result["heat"]["heldout_far"]["cousins"]["push 0"] == [2, 2]
    assert result["heat"]["heldout_far"]["cousins"]["push 7"] == [0, 2]
    assert (result["episodes"], result["faults"]) == (144, 0)
    # Both trainings differ by the same, so drawing trainings leaves no doubt.
    assert result["by_training"]["cousins - twin"]["low"] == pytest.approx(10 / 16)


def test_few_cousins_and_the_other_engine_are_counted_apart_and_never_pooled(tmp_path: Path, summary: Any) -> None:
    names = [put(tmp_path, arm, 0, outcome) for arm in ARMS]
    alone = summary(tmp_path, names, arms=ARMS, splits=SPLITS)
    assert alone["counts"] == {}
    assert alone["reversed"] == {"splits": {}, "differences": {}}
    names += [put(tmp_path, "cousins", 0, lambda *_: True, first=3)]
    names += [put(tmp_path, arm, 0, outcome, engine="pybullet") for arm in ("twin", "cousins")]
    result = summary(tmp_path, names, arms=ARMS, splits=SPLITS)
    assert result["counts"]["3"]["k"] == 8
    assert result["reversed"]["differences"]["shadow"]["value"] == pytest.approx(0.5)
    assert {key: result[key] for key in ("differences", "splits", "episodes")} == {
        key: alone[key] for key in ("differences", "splits", "episodes")
    }


def test_an_episode_without_its_pair_is_no_measurement(tmp_path: Path, summary: Any) -> None:
    names = [put(tmp_path, arm, 0, outcome) for arm in ARMS]
    record_file = tmp_path / f"{names[0]}.json"
    record = json.loads(record_file.read_text(encoding="utf-8"))
    record["splits"]["shadow"]["tried"].pop()
    record_file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(AssertionError, match="every episode has its pair"):
        summary(tmp_path, names, arms=ARMS, splits=SPLITS)
