"""Policies that are Python files: they are tried like ours, and what is wrong with one is told with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cousins.errors import InputError
from sim.train.evaluation import evaluate
from sim.train.policies import write_policy
from sim.train.python_policies import MadeFor, PythonPolicy
from tests.sim.train.test_policies import tiny_policy
from tests.sim.worlds_for_tests import boxes

SIZE = 33
"""Numbers that a pusher sees when it pushes."""


def written(folder: Path, text: str) -> PythonPolicy:
    path = folder / "mine.py"
    path.write_text(text)
    return PythonPolicy(path, MadeFor(task="push"))


def test_a_file_that_does_what_a_policy_of_ours_does_has_its_very_episodes(tmp_path: Path) -> None:
    ours = tiny_policy(observations=SIZE)
    write_policy(ours, tmp_path / "ours")
    (tmp_path / "beside.py").write_text("FOLDER = 'ours'")
    theirs = written(
        tmp_path,
        "import beside\nfrom pathlib import Path\nfrom sim.train.policies import read_policy\n"
        "known = read_policy(Path(__file__).parent / beside.FOLDER)\n"
        "def act(observations):\n    return known.act(observations).tolist()\n",
    )
    first, second = (evaluate(one, pack=boxes(3), split=[0, 1, 2], episodes=5, rows=2) for one in (ours, theirs))
    assert first == second


def test_a_policy_that_remembers_is_told_when_episodes_begin(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        "import numpy as np\nbegun, acted = 0, []\n"
        "def reset():\n    global begun\n    begun += 1\n"
        "def act(observations):\n    acted.append(begun)\n    return np.full((len(observations), 2), 9.0)\n",
    )
    evaluate(policy, pack=boxes(3), split=[0, 1, 2], episodes=5, rows=2)
    assert set(policy._act.__globals__["acted"]) == {1, 2, 3}
    assert np.all(policy.act(np.zeros((3, SIZE))) == 1.0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def act(o):\n    return o[:, :3]\n", r"actions of shape \(2, 3\) from .*mine.py"),
        ("def act(o):\n    return [['a', 'b'], ['c', 'd']]\n", "actions that are no numbers"),
        ("def act(o):\n    return o @ 3\n", r"ValueError: .*mine.py, line 2\)"),
        ("import json\ndef act(o):\n    return json.loads('{')\n", r"JSONDecodeError: .*mine.py, line 3\)"),
        ("def reset():\n    raise KeyError('weights')\ndef act(o):\n    return o\n", "KeyError: 'weights'.*line 2"),
    ],
)
def test_what_is_wrong_when_it_acts_is_told(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        evaluate(written(tmp_path, text), pack=boxes(3), split=[0, 1], episodes=2, rows=2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("act = 3\n", "no function `act` in .*mine.py"),
        ("import nothing_like_it\n", "ModuleNotFoundError: .*mine.py, line 1"),
        ("def act(\n", "SyntaxError: "),
    ],
)
def test_a_file_that_is_no_policy_is_told(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        written(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*gone\.py"):
        PythonPolicy(tmp_path / "gone.py", MadeFor(task="push"))


def test_actions_that_are_not_finite_break_their_world_alone(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        "import numpy as np\ndef act(observations):\n"
        "    actions = np.zeros((len(observations), 2))\n    actions[1] = np.nan\n    return actions\n",
    )
    found = evaluate(policy, pack=boxes(3), split=[0, 1], episodes=2, rows=2)
    assert [one.failure == "fault" for one in found.tried] == [False, True]
    assert "nan" in found.tried[1].fault
