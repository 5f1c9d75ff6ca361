"""Policies as files: numpy does what the learner does, and anything else is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import InputError
from sim.bodies.columns import Column
from sim.train.policies import (
    ARRAYS_FILE,
    CARD_FILE,
    NAMELESS_FORMAT,
    OBSERVATION_MEAN,
    OBSERVATION_VARIANCE,
    Policy,
    PolicyCard,
    read_policy,
    require_columns,
    write_policy,
)


def tiny_policy(*, observations: int = 3, actions: int = 2, bias: float = 0.0, **changes: object) -> Policy:
    card = {
        "task": "push",
        "body": "pusher",
        "control": "ee_delta",
        "control_hz": 20.0,
        "observations": observations,
        "actions": actions,
        "layers": (("first.weight", "first.bias"), ("last.weight", "last.bias")),
        "activation": "tanh",
        "squashed": False,
        "variance_floor": 0.0,
        "algorithm": "ppo",
        "digest": "0" * 64,
        "seed": 0,
        "steps": 10,
        "columns": tuple(Column(name=f"seen.{number}", unit="m", sources=("goal",)) for number in range(observations)),
        "action_columns": tuple(Column(name=f"moved.{number}", unit="m/s") for number in range(actions)),
    }
    rng = np.random.default_rng(0)
    arrays = {
        "first.weight": rng.normal(size=(4, observations)),
        "first.bias": rng.normal(size=4),
        "last.weight": rng.normal(size=(actions, 4)),
        "last.bias": np.full(actions, bias),
        OBSERVATION_MEAN: np.zeros(observations),
        OBSERVATION_VARIANCE: np.ones(observations),
    }
    return Policy(card=PolicyCard(**(card | changes)), arrays=arrays)  # type: ignore[arg-type]


def test_a_policy_that_was_written_acts_as_before(tmp_path: Path) -> None:
    policy = tiny_policy()
    write_policy(policy, tmp_path)
    again = read_policy(tmp_path)
    assert again.card == policy.card
    observations = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_array_equal(again.act(observations), policy.act(observations))


def test_actions_stay_in_their_range_whatever_is_seen() -> None:
    observations = np.random.default_rng(1).normal(scale=1e6, size=(50, 3))
    for squashed in (False, True):
        actions = tiny_policy(bias=5.0, squashed=squashed).act(observations)
        assert actions.shape == (50, 2)
        assert np.abs(actions).max() <= 1.0


def test_a_folder_without_a_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no policy\.json and policy\.safetensors"):
        read_policy(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("activation", "sine"), ("format", 2), ("observations", 4), ("actions", 7), ("task", 3), ("layers", [])],
)
def test_a_card_that_does_not_fit_its_arrays_is_refused(tmp_path: Path, field: str, value: object) -> None:
    write_policy(tiny_policy(), tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    (tmp_path / CARD_FILE).write_text(json.dumps(card | {field: value}))
    with pytest.raises(InputError, match=r"a policy in .* that cannot be read"):
        read_policy(tmp_path)


def test_a_card_without_names_of_columns_is_still_read(tmp_path: Path) -> None:
    write_policy(tiny_policy(), tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    old = {name: value for name, value in card.items() if not name.endswith("columns")} | {"format": NAMELESS_FORMAT}
    (tmp_path / CARD_FILE).write_text(json.dumps(old))
    policy = read_policy(tmp_path)
    assert policy.card.columns == ()
    require_columns(policy, tiny_policy().card.columns)
    (tmp_path / CARD_FILE).write_text(json.dumps(card | {"columns": card["columns"][1:]}))
    with pytest.raises(InputError, match="another number of columns"):
        read_policy(tmp_path)


def test_worlds_whose_columns_have_another_order_or_unit_are_refused() -> None:
    policy = tiny_policy()
    columns = policy.card.columns
    require_columns(policy, columns)
    with pytest.raises(InputError, match=r"column 0 is seen\.2 \[m\]; expected seen\.0 \[m\]"):
        require_columns(policy, columns[::-1])
    with pytest.raises(InputError, match=r"column 1 is seen\.1 \[mm\]; expected seen\.1 \[m\]"):
        require_columns(policy, (columns[0], replace(columns[1], unit="mm"), columns[2]))
    with pytest.raises(InputError, match=r"column 2 is none; expected seen\.2"):
        require_columns(policy, columns[:2])


def test_a_policy_of_another_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    write_policy(tiny_policy(), tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    (tmp_path / CARD_FILE).write_text(json.dumps(card | {"format": "cousins policy 9"}))
    with pytest.raises(
        InputError, match=r"found a policy of format 'cousins policy 9'; expected 'cousins policy 2'\. "
    ):
        read_policy(tmp_path)


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    write_policy(tiny_policy(), tmp_path)
    data = (tmp_path / ARRAYS_FILE).read_bytes()
    for spoilt in (b"", data[:40], b"\xff" * len(data)):
        (tmp_path / ARRAYS_FILE).write_bytes(spoilt)
        with pytest.raises(InputError, match="cannot be read"):
            read_policy(tmp_path)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    write_policy(tiny_policy(bias=float("nan")), tmp_path)
    with pytest.raises(InputError, match="not finite"):
        read_policy(tmp_path)
