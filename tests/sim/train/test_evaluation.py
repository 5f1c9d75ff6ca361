"""Evaluation: nothing is left out, whatever breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import EngineError, InputError
from sim.train.evaluation import EpisodeResult, Evaluation, count_failures, evaluate, success_outcomes
from sim.train.policies import Policy
from sim.worlds.backends.mujoco import MujocoWorlds
from tests.sim.train.test_policies import tiny_policy
from tests.sim.worlds_for_tests import boxes, push_task

SIZE = 33
"""Numbers that a pusher sees when it pushes."""


def pushing_policy() -> Policy:
    return tiny_policy(observations=SIZE, columns=())


def test_a_world_that_breaks_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    step = MujocoWorlds.step

    def breaking(self: MujocoWorlds, drive_velocity: np.ndarray, count: int) -> list[str]:
        speeds = np.array(drive_velocity)
        speeds[[row for row in range(self.size) if self.cousin_index(row) == 1]] = np.nan
        return step(self, speeds, count)

    monkeypatch.setattr(MujocoWorlds, "step", breaking)
    evaluation = evaluate(pushing_policy(), pack=boxes(3), split=[0, 1, 2], episodes=4, rows=4)
    assert [episode.failure == "fault" for episode in evaluation.episodes] == [False, True, False, False]
    assert "is nan" in evaluation.episodes[1].fault
    assert count_failures(evaluation.episodes)["fault"] == 1
    assert evaluation.success_at_end.n == 4


def test_a_cousin_that_no_engine_begins_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    load_cousin = MujocoWorlds.load_cousin

    def refusing(self: MujocoWorlds, row: int, index: int) -> None:
        if index == 2:
            raise EngineError("no such luck", engine="mujoco")
        load_cousin(self, row, index)

    monkeypatch.setattr(MujocoWorlds, "load_cousin", refusing)
    evaluation = evaluate(pushing_policy(), pack=boxes(3), split=[0, 1, 2], episodes=3, rows=2)
    assert [episode.failure == "fault" for episode in evaluation.episodes] == [False, False, True]
    assert "no such luck" in evaluation.episodes[2].fault


def test_cousins_that_do_not_afford_the_task_are_listed() -> None:
    source = boxes(3)
    source.tasks[1] = push_task(target="")
    evaluation = evaluate(pushing_policy(), pack=source, split=[0, 1, 2], episodes=4, rows=2)
    assert evaluation.refused == (1,)
    assert [episode.cousin for episode in evaluation.episodes] == [0, 2, 0, 2]


def test_a_policy_that_sees_other_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="33 observations and 2 actions"):
        evaluate(tiny_policy(observations=5), pack=boxes(3), split=[0], episodes=1)


def test_proportions_are_given_by_cousin_too() -> None:
    good = EpisodeResult(cousin=1, start=0, success_at_end=True, success_once=True, progress=1.0, failure="")
    bad = replace(good, start=1, success_at_end=False, failure="not held")
    evaluation = Evaluation(episodes=(good, bad, replace(bad, cousin=2)), engine="mujoco", refused=())
    assert (evaluation.success_at_end.k, evaluation.success_once.k, evaluation.success_at_end.n) == (1, 3, 3)
    assert {index: (episode.k, episode.n) for index, episode in evaluation.by_cousin().items()} == {
        1: (1, 2),
        2: (0, 1),
    }
    assert count_failures(evaluation.episodes) == {"not held": 2}
    assert success_outcomes(evaluation.episodes).tolist() == [True, False, False]
