"""The page of tasks gives the widths, bodies, durations and profiles that the code has."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from sim.bodies.controllers import action_size, ee_delta, joint_delta, joint_velocity
from sim.bodies.named import build
from sim.tasks import Task, build_task, task_names
from sim.tasks.episode_batch import empty_batch
from sim.tasks.shared_observations import body_features, privileged_features
from sim.tasks.task_view import task_view
from sim.worlds.worlds import Slots, State
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/reference/tasks.md").read_text(encoding="utf-8")
ROWS = 2


def tables_below(heading: str) -> list[list[list[str]]]:
    """Return the tables of a section as rows of cells, heads left out; marks of code are taken off."""
    section = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    tables = re.findall(r"(?:^\|.*\n)+", section[2], re.MULTILINE)
    return [[cells_of(line) for line in table.splitlines()[2:]] for table in tables]


def cells_of(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in line.strip("|\n").split("|")]


def columns_of(task: str) -> list[list[str]]:
    """Return the rows of a task's own columns."""
    heading = next(match for match in re.findall(r"^### (.*)$", PAGE, re.MULTILINE) if f"`{task}`" in match)
    return tables_below(heading)[0]


def width(rows: Sequence[Sequence[str]], *, drives: int = 0) -> int:
    return sum(drives if row[1] == "d" else int(row[1]) for row in rows)


def code_widths(task: Task) -> tuple[int, int, int]:
    """Return the widths of the columns of a task's default body, of the task, and of the privileged ones."""
    body = build(task.bodies[0])
    slots = Slots(objects=("thing", "place"), joints=(("place", 0),))
    batch = empty_batch(ROWS, slots, body, parts=task.max_parts)
    objects, drives = len(slots.objects), len(body.drives)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (ROWS, objects, 1))
    state = State(
        present=np.ones((ROWS, objects), dtype=np.bool_),
        position_m=np.zeros((ROWS, objects, 3)),
        quat_wxyz=still,
        velocity=np.zeros((ROWS, objects, 6)),
        joint_position=np.zeros((ROWS, 1)),
        joint_velocity=np.zeros((ROWS, 1)),
        drive_position=np.zeros((ROWS, drives)),
        drive_velocity=np.zeros((ROWS, drives)),
        tip_position_m=np.zeros((ROWS, 3)),
        tip_quat_wxyz=still[:, 0].copy(),
        touched=np.zeros((ROWS, objects), dtype=np.bool_),
    )
    view = task_view(batch, state)
    parts = (body_features(batch, view), task.observe(batch, view), privileged_features(batch, view))
    body_width, task_width, privileged_width = (part.shape[1] for part in parts)
    return body_width, task_width, privileged_width


@pytest.mark.parametrize("name", task_names())
def test_the_columns_of_a_task_add_up_to_its_observation(name: str) -> None:
    task = build_task(name)
    body_width, task_width, privileged_width = code_widths(task)
    assert width(columns_of(name)) == task_width
    assert width(tables_below("Privileged columns")[0]) == privileged_width
    action = action_size(ee_delta(build(task.bodies[0])), build(task.bodies[0]))
    total = body_width + task_width + action
    row = next(row for row in tables_below("Widths with the default body")[0] if row[0] == name)
    assert row == [name, task.bodies[0], str(body_width), str(task_width), str(action), str(total)]


@pytest.mark.parametrize("name", ["pusher", "gripper", "panda"])
def test_the_columns_of_a_body_add_up_to_what_it_observes_and_does(name: str) -> None:
    body = build(name)
    rows = tables_below("Body")[0]
    turns = any(joint.kind == "revolute" for joint in body.asset.joints)
    shown = rows if turns else [row for row in rows if "rotation" not in row[0]]
    assert width(shown, drives=len(body.drives)) == 2 * len(body.drives) + 3 + 6 * turns
    controls = [str(action_size(build_control(body), body)) for build_control in (ee_delta, joint_delta)]
    assert action_size(joint_velocity(body), body) == int(controls[1])
    row = next(row for row in tables_below("Actions")[1] if row[0] == name)
    assert row[1].replace(", hand", "").split(", ") == list(ee_delta(body).axes)
    assert row[2:] == controls
    listed = next(row for row in tables_below("Bodies")[0] if row[0] == name)
    assert listed[1].startswith(str(len(body.drives) - len(body.fingers)))
    assert (float(listed[3]), float(listed[4])) == (body.control_hz, body.latency_s)


@pytest.mark.parametrize("name", task_names())
def test_a_task_has_the_duration_bodies_and_profiles_of_the_page(name: str) -> None:
    task = build_task(name)
    row = next(row for row in tables_below("The nine tasks")[0] if row[0] == name)
    assert [float(row[2]), row[3], *row[4].split(", ")] == [task.horizon_s, *task.bodies]
    profiles: dict[str, list[str]] = {}
    last = ""
    for tasks, profile, _ in tables_below("Success")[0]:
        last = tasks or last
        profiles.setdefault(last, []).append(profile)
    key = next(key for key in profiles if name in key.split(", "))
    assert tuple(profiles[key]) == task.profiles


def test_the_page_has_all_tasks() -> None:
    assert [row[0] for row in tables_below("The nine tasks")[0]] == [
        row[0] for row in tables_below("Widths with the default body")[0]
    ]
    assert sorted(row[0] for row in tables_below("The nine tasks")[0]) == task_names()
