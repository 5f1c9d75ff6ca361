"""Small sources of cousins, and worlds without physics in which the tip drags the objects near it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, quat_wxyz_from_rotation, rotation_about
from cousins.scene.layout.relations import find_relations
from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Cousin, GoalSpec, Split
from sim.bodies import build
from sim.bodies.body import Body
from sim.bodies.controllers import Controller
from sim.physics.engine import Contact
from sim.physics.simple_assets import make_scene, place, slab
from sim.worlds.worlds import CousinSource, Slots, State, Worlds
from tests.cousins.scene.scenes_for_tests import box_asset

TOP_M = 0.7
BASE_M = (-0.45, 0.0, TOP_M)


def quick_pusher() -> Body:
    """Return a pusher that goes at up to 0.5 m/s, twice its own speed: what it hits feels it."""
    body = build("pusher")
    return replace(body, drives=tuple(replace(drive, max_speed=0.5) for drive in body.drives))


def box_scene(side_m: float = 0.06, *, more: tuple[PlacedAsset, ...] = ()) -> Scene:
    """Return a box on a table, with more beside it."""
    box = box_asset("box", (side_m, side_m, side_m))
    scene = make_scene(
        place(box, 0.0, 0.0, TOP_M + side_m / 2 + 1e-5),
        *more,
        structures=(slab("table", size_m=(1.0, 1.0, 0.05), top_m=TOP_M),),
        name="tiny",
    )
    return replace(scene, relations=find_relations(scene))


def cousin_of(scene: Scene, index: int, task: GoalSpec, *, split: Split = "train") -> Cousin:
    return Cousin(
        index=index,
        split=split,
        objects=(),
        structures=(),
        relations=scene.relations,
        look=Look(),
        task=task,
        distances={},
    )


def push_task(goal_m: tuple[float, float] = (0.15, 0.0), *, target: str = "box") -> GoalSpec:
    return GoalSpec(target=target, goal_m=(*goal_m, TOP_M), goal_radius_m=0.05, robot_base_m=BASE_M, robot_yaw_rad=0.0)


@dataclass
class TinySource:
    """Scenes by number."""

    scenes: dict[int, Scene]
    tasks: dict[int, GoalSpec]
    digest: str = "tiny"

    def cousin(self, index: int) -> Cousin:
        return cousin_of(self.scenes[index], index, self.tasks[index])

    def scene(self, index: int) -> Scene:
        return self.scenes[index]


def boxes(count: int = 3) -> TinySource:
    """Return cousins whose boxes grow with their number."""
    scenes = {index: box_scene(0.05 + 0.01 * index) for index in range(count)}
    return TinySource(scenes=scenes, tasks={index: push_task() for index in range(count)})


def swing(worlds: Worlds, arm: Controller, x_m: float) -> tuple[Array, Array]:
    """Grasp, lift and swing the first object; return its position from the tip [3] before and after the swing [m].

    The controller must have been reset; commands are sent at 20 Hz, and no fault may occur.
    """

    def go(y_m: float, z_m: float, grip: float, commands: int) -> Array:
        """Move the tip to a position and return the object's position from the tip [3] [m]."""
        for _ in range(commands):
            now = worlds.read()
            offset_m = np.array([x_m, y_m, z_m]) - now.tip_position_m[0]
            action = np.append(np.clip(offset_m / 0.025, -0.5, 0.5), grip)[None]
            assert worlds.step(arm.speeds(action, now.drive_position), round(0.05 / worlds.timestep_s)) == [""]
        return np.asarray(worlds.read().position_m[0, 0] - worlds.read().tip_position_m[0])

    go(0.006, 0.1, 1.0, 40)
    go(0.006, 0.035, 1.0, 30)
    go(0.006, 0.035, -1.0, 15)
    held = go(0.006, 0.2, -1.0, 40)
    for side in (0.15, -0.15):
        go(side, 0.2, -1.0, 30)
    return held, go(0.0, 0.2, -1.0, 30)


class FakeWorlds:
    """The `Worlds` protocol without physics: drives follow commands, and the tip drags objects within 6 cm."""

    name = "fake"
    version = "1"
    timestep_s = 1.0 / 240.0

    def __init__(self, source: CousinSource, body: Body, *, rows: int, slots: Slots) -> None:
        self.source, self.body, self.slots, self.size = source, body, slots, rows
        n, k, j, d = rows, len(slots.objects), len(slots.joints), len(body.drives)
        self._cousin_of_row = [-1] * rows
        self.faults = [""] * rows
        self.refused: set[int] = set()
        self.position = np.zeros((n, k, 3))
        self.quat = np.zeros((n, k, 4))
        self.velocity = np.zeros((n, k, 6))
        self.present = np.zeros((n, k), dtype=bool)
        self.joint = np.zeros((n, j))
        self.joint_speed = np.zeros((n, j))
        self.drives = np.zeros((n, d))
        self.speeds = np.zeros((n, d))
        self.base = np.zeros((n, 3))
        self.yaw = np.zeros(n)
        self.steps = 0
        self.closed = False

    def load_cousin(self, row: int, index: int) -> None:
        if index in self.refused:
            raise EngineError("no such luck", engine=self.name)
        self._cousin_of_row[row], self.faults[row] = index, ""
        task = self.source.cousin(index).task
        self.base[row], self.yaw[row] = task.robot_base_m, task.robot_yaw_rad
        self.present[row], self.velocity[row], self.joint[row], self.speeds[row] = False, 0.0, 0.0, 0.0
        self.position[row], self.quat[row] = 0.0, 0.0
        self.drives[row] = [drive.home for drive in self.body.drives]
        for placed in self.source.scene(index).objects:
            self._put(row, placed.asset.name, placed.world_from_asset)

    def _put(self, row: int, name: str, pose: Array) -> None:
        column = self.slots.objects.index(name)
        self.present[row, column] = True
        self.position[row, column] = pose[:3, 3]
        self.quat[row, column] = quat_wxyz_from_rotation(pose[:3, :3])

    def cousin_index(self, row: int) -> int:
        return self._cousin_of_row[row]

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        self._put(row, name, world_from_object)

    def set_joint(self, row: int, joint: int, position: float) -> None:
        self.joint[row, joint] = position

    def set_drives(self, row: int, position: Array) -> None:
        self.drives[row] = position

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        time_s = count * self.timestep_s
        for row in range(self.size):
            if np.isnan(drive_velocity[row]).any():
                self.faults[row] = self.faults[row] or "a command is NaN"
            if self.faults[row]:
                continue
            before = self._tips()[row]
            self.drives[row] += drive_velocity[row] * time_s
            self.speeds[row] = drive_velocity[row]
            moved = self._tips()[row] - before
            near = np.linalg.norm(self.position[row] - before, axis=1) < 0.06
            self.velocity[row, :, :3] = np.where((near & self.present[row])[:, None], moved / time_s, 0.0)
            self.position[row] += self.velocity[row, :, :3] * time_s
        self.steps += count
        return list(self.faults)

    def _tips(self) -> Array:
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y = self.drives[:, 0], self.drives[:, 1]
        z = self.drives[:, 2] if self.drives.shape[1] > 3 else np.full(self.size, 0.02)
        return np.asarray(self.base + np.stack([c * x - s * y, s * x + c * y, z], axis=1))

    def read(self) -> State:
        tips = self._tips()
        near = np.linalg.norm(self.position - tips[:, None], axis=2) < 0.06
        turn = np.array([quat_wxyz_from_rotation(rotation_about(np.array([0.0, 0.0, 1.0]), yaw)) for yaw in self.yaw])
        return State(
            present=self.present.copy(),
            position_m=self.position.copy(),
            quat_wxyz=self.quat.copy(),
            velocity=self.velocity.copy(),
            joint_position=self.joint.copy(),
            joint_velocity=self.joint_speed.copy(),
            drive_position=self.drives.copy(),
            drive_velocity=self.speeds.copy(),
            tip_position_m=tips,
            tip_quat_wxyz=turn,
            touched=near & self.present,
        )

    def contacts(self, row: int) -> list[Contact]:
        assert self.cousin_index(row) >= 0
        return []

    def snapshot(self, row: int) -> bytes:
        parts = (self.position, self.quat, self.velocity, self.joint, self.drives, self.speeds)
        return b"".join(part[row].tobytes() for part in parts)

    def restore(self, row: int, snapshot: bytes) -> None:
        start = 0
        for part in (self.position, self.quat, self.velocity, self.joint, self.drives, self.speeds):
            size = part[row].nbytes
            part[row] = np.frombuffer(snapshot[start : start + size]).reshape(part[row].shape)
            start += size

    def close(self) -> None:
        self.closed = True
