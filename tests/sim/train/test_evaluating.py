"""Evaluation: nothing is left out, whatever breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import EngineError, InputError
from sim.train.evaluation import Evaluation, Tried, evaluate, failures, outcomes
from sim.worlds.backends.mujoco import MujocoWorlds
from tests.sim.train.test_policies import tiny_policy
from tests.sim.worlds_for_tests import boxes, push_task

SIZE = 33
"""Numbers that a pusher sees when it pushes."""


def test_a_world_that_breaks_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    step = MujocoWorlds.step

    def breaking(self: MujocoWorlds, drive_velocity: np.ndarray, count: int) -> list[str]:
        speeds = np.array(drive_velocity)
        speeds[[row for row in range(self.size) if self.shown(row) == 1]] = np.nan
        return step(self, speeds, count)

    monkeypatch.setattr(MujocoWorlds, "step", breaking)
    found = evaluate(tiny_policy(observations=SIZE), pack=boxes(3), split=[0, 1, 2], episodes=4, rows=4)
    assert [one.failure == "fault" for one in found.tried] == [False, True, False, False]
    assert "is nan" in found.tried[1].fault
    assert failures(found.tried)["fault"] == 1
    assert found.at_end.n == 4


def test_a_cousin_that_no_engine_begins_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    show = MujocoWorlds.show

    def refusing(self: MujocoWorlds, row: int, index: int) -> None:
        if index == 2:
            raise EngineError("no such luck", engine="mujoco")
        show(self, row, index)

    monkeypatch.setattr(MujocoWorlds, "show", refusing)
    found = evaluate(tiny_policy(observations=SIZE), pack=boxes(3), split=[0, 1, 2], episodes=3, rows=2)
    assert [one.failure == "fault" for one in found.tried] == [False, False, True]
    assert "no such luck" in found.tried[2].fault


def test_cousins_that_do_not_afford_the_task_are_told() -> None:
    source = boxes(3)
    source.tasks[1] = push_task(target="")
    found = evaluate(tiny_policy(observations=SIZE), pack=source, split=[0, 1, 2], episodes=4, rows=2)
    assert found.refused == (1,)
    assert [one.cousin for one in found.tried] == [0, 2, 0, 2]


def test_a_policy_that_sees_other_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="33 observations and 2 actions"):
        evaluate(tiny_policy(observations=5), pack=boxes(3), split=[0], episodes=1)


def test_shares_are_told_by_cousin_too() -> None:
    good = Tried(cousin=1, start=0, success_at_end=True, success_once=True, progress=1.0, failure="")
    bad = replace(good, start=1, success_at_end=False, failure="not held")
    found = Evaluation(tried=(good, bad, replace(bad, cousin=2)), engine="mujoco", refused=())
    assert (found.at_end.k, found.once.k, found.at_end.n) == (1, 3, 3)
    assert {index: (one.k, one.n) for index, one in found.by_cousin().items()} == {1: (1, 2), 2: (0, 1)}
    assert failures(found.tried) == {"not held": 2}
    assert outcomes(found.tried).tolist() == [True, False, False]
