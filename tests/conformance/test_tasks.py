"""The law book of tasks: every file in `sim.tasks.backends` keeps it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Final

import gymnasium as gym
import numpy as np
import pytest

from cousins.errors import InputError
from cousins.plugins import load_backend
from sim.bodies import names
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds
from sim.bodies.named import capabilities_by_name
from sim.envs.registration import env_id
from sim.tasks import PROFILES, build_task, task_names
from sim.tasks.task import BACKENDS, capabilities_for
from sim.tasks.task_source import TaskSource
from tests.sim.tasks import scenes_for_tests as scenes
from tests.sim.tasks import scripts_for_tests as scripts
from tests.sim.tasks.stages_for_tests import staged
from tests.sim.worlds_for_tests import TinySource

PROOFS: Final[dict[str, tuple[Callable[[], TinySource], scripts.Script]]] = {
    "push": (scenes.table_source, scripts.push),
    "pull": (scenes.table_source, scripts.push),
    "lift": (scenes.table_source, scripts.lift),
    "place": (scenes.bowl_source, scripts.carry),
    "stack": (scenes.stack_source, scripts.carry),
    "clear_table": (lambda: scenes.bowl_source(boxes=2), scripts.carry),
    "open_drawer": (scenes.drawer_source, scripts.pull_handle),
    "close_drawer": (scenes.drawer_source, scripts.push_handle),
    "open_door": (scenes.cabinet_source, scripts.pull_handle),
}
"""A scene that affords each task, and a scripted robot that does it."""
DEFAULTS: Final = {
    "push": "pusher",
    "pull": "pusher",
    "close_drawer": "pusher",
    "lift": "gripper",
    "place": "gripper",
    "stack": "gripper",
    "clear_table": "gripper",
    "open_drawer": "gripper",
    "open_door": "gripper",
}
"""Bodies that users get who name none."""
ABLE: Final = BodyCapabilities(
    name="able", arm_joints=7, moves=("x", "y", "z"), can_turn=True, fingers=2, opening_m=0.1, reach_m=1.0
)
"""A body that suits every task."""


def proof(name: str) -> tuple[TinySource, scripts.Script]:
    """Return a scene and a script of a task; a new task needs a line in `PROOFS`."""
    assert name in PROOFS, f"{name} has no scripted proof in `PROOFS`"
    source, script = PROOFS[name]
    return source(), script


@pytest.mark.parametrize("name", task_names())
def test_a_task_is_one_file_with_a_frozen_config_and_build(name: str) -> None:
    module = load_backend(BACKENDS, name, kind="task")
    assert module.__doc__
    assert dataclasses.is_dataclass(module.Config)
    assert module.Config.__dataclass_params__.frozen
    assert list(inspect.signature(module.build).parameters) == ["config"]
    task = build_task(name)
    assert task.name == name
    assert task.config == module.Config()
    assert task.horizon_s > 0.0
    assert task.profiles[0] == "ours"
    assert set(task.profiles) <= set(PROFILES)


@pytest.mark.parametrize("name", task_names())
def test_a_task_declares_needs_and_names_no_body(name: str) -> None:
    task = build_task(name)
    assert isinstance(task.needs, BodyNeeds)
    assert task.needs.moves
    assert task.bodies[0] == DEFAULTS[name]
    assert capabilities_for(task, None).name == DEFAULTS[name]
    task.require_body(ABLE)
    source = inspect.getsource(load_backend(BACKENDS, name, kind="task"))
    assert not [body for body in names() if f'"{body}"' in source]


@pytest.mark.parametrize("name", task_names())
def test_a_body_that_lacks_a_need_is_refused_by_what_it_lacks(name: str) -> None:
    task, needs = build_task(name), build_task(name).needs
    lacking = [(dataclasses.replace(ABLE, moves=()), f"it lacks motion of the tip along {needs.moves[0]}")]
    if needs.can_turn:
        lacking.append((dataclasses.replace(ABLE, can_turn=False), "it lacks a tip that turns about the vertical"))
    if needs.has_fingers:
        lacking.append((dataclasses.replace(ABLE, fingers=0, opening_m=0.0), "it lacks fingers"))
        lacking.append((dataclasses.replace(ABLE, opening_m=0.01), "it lacks a hand that opens 40 mm, not 10 mm"))
    for body, words in lacking:
        with pytest.raises(InputError, match=words) as refused:
            task.require_body(body)
        assert DEFAULTS[name] in str(refused.value)
        with pytest.raises(InputError, match=words):
            TaskSource(proof(name)[0], task, body)


@pytest.mark.parametrize("name", task_names())
def test_widths_of_observations_and_actions_do_not_depend_on_the_state(name: str) -> None:
    source, _ = proof(name)
    stage = staged(name, source)
    widths = {stage.task.observe(stage.episodes.rows, stage.view()).shape}
    for seed in range(1, 3):
        again = staged(name, source, seed=seed)
        widths.add(again.task.observe(again.episodes.rows, again.view()).shape)
        assert again.episodes.controller.action_size == stage.episodes.controller.action_size
    assert len(widths) == 1


VIEW_SOURCES: Final = {
    "proprio": ("tip_m", "tip_rotation", "finger_axis"),
    "object_pose": (
        *("target_m", "target_rotation", "velocity_m_s", "spin_rad_s"),
        *("hold_m", "hold_axis", "start_m", "opening_direction"),
    ),
    "object_size": ("size_m",),
    "goal": ("goal_m",),
    "joint": ("joint", "joint_speed", "opening_direction"),
}
"""Fields of a view by what they are measured from."""
BATCH_SOURCES: Final = {
    "object_size": ("width_m",),
    "goal": ("goal_radius_m", "depth_m"),
    "joint": ("opened", "closed"),
}
"""Fields of a batch by what they are measured from."""
UNSEEN: Final = {
    ("is_door", "joint"),
    ("part_number_fraction", "object_pose"),
    ("part_number_fraction", "goal"),
    *((f"grasp_axis.{axis}", "proprio") for axis in "xyz"),
}
"""Columns that small changes of their source do not move: kinds, counts, and the way round of an axis."""


def moved_columns(name: str, source: str, rng: np.random.Generator) -> set[str]:
    """Return the columns of a task that change where one source is measured a little differently."""
    stage = staged(name, proof(name)[0])
    batch, view = stage.episodes.rows, stage.view()

    def nudged(holder: object, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
        values = {field: np.asarray(getattr(holder, field), dtype=np.float64) for field in fields}
        return {field: value + rng.uniform(1e-4, 2e-3, value.shape) for field, value in values.items()}

    fields = nudged(view, VIEW_SOURCES[source])
    if source == "proprio":
        fields["state"] = dataclasses.replace(view.state, **nudged(view.state, ("drive_position",)))
    if source == "joint" and any("joint" in column.sources for column in stage.task.columns):
        fields["hold_m"] = view.hold_m + 1e-3
    nudged_view = dataclasses.replace(view, **fields)
    nudged_batch = dataclasses.replace(batch, **nudged(batch, BATCH_SOURCES.get(source, ())))
    changed = stage.task.observe(nudged_batch, nudged_view) != stage.task.observe(batch, view)
    return {column.name for column, differs in zip(stage.task.columns, changed[0], strict=True) if differs}


@pytest.mark.parametrize("source", VIEW_SOURCES)
@pytest.mark.parametrize("name", task_names())
def test_a_column_changes_with_exactly_the_sources_that_it_declares(name: str, source: str) -> None:
    rng = np.random.default_rng(3)
    moved = set().union(*(moved_columns(name, source, rng) for _ in range(3)))
    declared = {column.name for column in build_task(name).columns if source in column.sources}
    assert moved <= declared
    clipped = {column for column in declared - moved if "_fine" in column}
    assert declared - moved - clipped == {column for column in declared if (column, source) in UNSEEN}


@pytest.mark.parametrize("name", task_names())
def test_every_column_of_an_environment_has_a_name_a_unit_and_a_source(name: str) -> None:
    env = gym.make(env_id(name), pack=proof(name)[0], split=[0]).unwrapped
    try:
        size, actions = env.observation_space.shape[0], env.action_space.shape[0]
        assert (len(env.columns), len(env.action_columns)) == (size, actions)
        assert len(env.privileged_columns) == env.vector.episodes.privileged.shape[1]
        for columns in (env.columns, env.privileged_columns):
            assert len({column.name for column in columns}) == len(columns)
            assert all(column.unit and column.sources for column in columns)
        assert all(column.unit and not column.sources for column in env.action_columns)
    finally:
        env.close()


@pytest.mark.parametrize("name", task_names())
def test_success_is_false_at_reset_and_reward_is_finite(name: str) -> None:
    stage = staged(name, proof(name)[0])
    outcome = stage.outcome()
    assert outcome.successes.shape == (1, len(stage.task.profiles))
    assert not outcome.successes[0, 0]
    assert not outcome.failed[0]
    assert np.isfinite(outcome.reward).all()
    assert (outcome.reward >= 0.0).all()
    assert (outcome.reward < 1.0).all()
    assert ((outcome.progress >= 0.0) & (outcome.progress < 1.0)).all()


@pytest.mark.parametrize("name", task_names())
def test_a_scripted_robot_succeeds_and_its_rewards_stay_finite(name: str) -> None:
    source, script = proof(name)
    envs = gym.make_vec(env_id(name), num_envs=1, pack=source, split=[0], autoreset="disabled", engine="mujoco")
    try:
        observation, _ = envs.reset(seed=1)
        width, memory, rewards = observation.shape, {}, []
        while True:
            action = script(envs.episodes.rows, envs.episodes.view, 0, memory)
            observation, reward, terminated, truncated, info = envs.step(action[None])
            assert observation.shape == width
            rewards.append(float(reward[0]))
            if terminated[0] or truncated[0]:
                break
        metrics = info["metrics"]
        assert metrics["success_at_end"][0], (metrics["progress"], metrics["once"], metrics["at_end"])
        assert metrics["success_once"][0]
        assert not metrics["fail_once"][0]
        assert np.isfinite(rewards).all()
        assert rewards[-1] == 1.0
        assert max(rewards[:5]) < 0.5
    finally:
        envs.close()


def test_the_pusher_is_refused_for_lifting_with_bodies_that_can() -> None:
    words = r"body 'pusher' for lift: it lacks motion of the tip along z and .* and fingers.*gripper, panda, so101"
    with pytest.raises(InputError, match=words):
        build_task("lift").require_body(capabilities_by_name("pusher"))
