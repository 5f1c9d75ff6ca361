"""Policies in Python files: evaluated like policy files; an error names the line of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cousins.errors import InputError
from sim.train.evaluation import evaluate
from sim.train.policies import write_policy
from sim.train.python_policies import PythonPolicy, PythonPolicyCard
from tests.sim.recording.rollouts_for_tests import recording_env
from tests.sim.train.test_policies import tiny_policy
from tests.sim.worlds_for_tests import boxes

SIZE = 33
"""Numbers that a pusher sees when it pushes."""


def python_policy_of(folder: Path, text: str) -> PythonPolicy:
    path = folder / "mine.py"
    path.write_text(text)
    return PythonPolicy(path, PythonPolicyCard(task="push"))


def test_a_python_policy_that_calls_a_policy_file_has_the_same_episodes(tmp_path: Path) -> None:
    file_policy = tiny_policy(observations=SIZE, columns=recording_env().columns)
    write_policy(file_policy, tmp_path / "ours")
    (tmp_path / "beside.py").write_text("FOLDER = 'ours'")
    python_policy = python_policy_of(
        tmp_path,
        "import beside\nfrom pathlib import Path\nfrom sim.train.policies import read_policy\n"
        "known = read_policy(Path(__file__).parent / beside.FOLDER)\n"
        "def act(observations):\n    return known.act(observations).tolist()\n",
    )
    first, second = (
        evaluate(policy, pack=boxes(3), split=[0, 1, 2], episodes=5, rows=2) for policy in (file_policy, python_policy)
    )
    assert first == second


def test_reset_of_a_policy_with_memory_is_called_when_episodes_begin(tmp_path: Path) -> None:
    policy = python_policy_of(
        tmp_path,
        "import numpy as np\nbegun, acted = 0, []\n"
        "def reset():\n    global begun\n    begun += 1\n"
        "def act(observations):\n    acted.append(begun)\n    return np.full((len(observations), 2), 9.0)\n",
    )
    evaluate(policy, pack=boxes(3), split=[0, 1, 2], episodes=5, rows=2)
    assert set(policy._act.__globals__["acted"]) == {1, 2, 3}
    assert np.all(policy.act(np.zeros((3, SIZE))) == 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def act(o):\n    return o[:, :3]\n", r"actions of shape \(2, 3\) from .*mine.py"),
        ("def act(o):\n    return [['a', 'b'], ['c', 'd']]\n", "actions that are no numbers"),
        ("def act(o):\n    return o @ 3\n", r"ValueError: .*mine.py, line 2\)"),
        ("import json\ndef act(o):\n    return json.loads('{')\n", r"JSONDecodeError: .*mine.py, line 3\)"),
        ("def reset():\n    raise KeyError('weights')\ndef act(o):\n    return o\n", "KeyError: 'weights'.*line 2"),
    ],
)
def test_an_error_in_act_names_the_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(python_policy_of(tmp_path, text), pack=boxes(3), split=[0, 1], episodes=2, rows=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("act = 3\n", "no function `act` in .*mine.py"),
        ("import nothing_like_it\n", "ModuleNotFoundError: .*mine.py, line 1"),
        ("def act(\n", "SyntaxError: "),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        python_policy_of(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*gone\.py"):
        PythonPolicy(tmp_path / "gone.py", PythonPolicyCard(task="push"))


def test_actions_that_are_not_finite_break_their_world_alone(tmp_path: Path) -> None:
    policy = python_policy_of(
        tmp_path,
        "import numpy as np\ndef act(observations):\n"
        "    actions = np.zeros((len(observations), 2))\n    actions[1] = np.nan\n    return actions\n",
    )
    evaluation = evaluate(policy, pack=boxes(3), split=[0, 1], episodes=2, rows=2)
    assert [episode.failure == "fault" for episode in evaluation.episodes] == [False, True]
    assert "nan" in evaluation.episodes[1].fault
