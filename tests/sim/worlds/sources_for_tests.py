"""A source of small cousins: a box that stands ahead of the robot, a fixed cabinet, and in some a ball."""

from __future__ import annotations

from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Cousin, GoalSpec
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset, sphere_piece
from tests.cousins.scene.scenes_for_tests import cabinet_asset


class TinyCousins:
    """Cousin `i`: the box is shifted by 1 cm per number and heavier; odd ones hold a ball too."""

    digest = "sha256:" + "0" * 64

    def __init__(self, *extra: PlacedAsset, yaw_rad: float = 0.0) -> None:
        self.extra = extra
        self.yaw_rad = yaw_rad
        self.requested: list[int] = []

    def scene(self, index: int) -> Scene:
        self.requested.append(index)
        box = rigid_asset("box", [box_piece((0.06, 0.06, 0.06))], mass_kg=0.2 + 0.1 * index)
        cabinet = cabinet_asset()
        objects = [
            place(box, 0.3 + 0.01 * index, 0.0, 0.03),
            PlacedAsset(asset=cabinet, world_from_asset=place(cabinet, 2.0, 1.0, 0.25).world_from_asset, fixed=True),
        ]
        if index % 2:
            objects.append(place(rigid_asset("ball", [sphere_piece(0.03)], mass_kg=0.1), 0.5, 0.3, 0.03))
        return make_scene(*objects, *self.extra, name=f"tiny_{index}")

    def cousin(self, index: int) -> Cousin:
        task = GoalSpec(
            target="box",
            goal_m=(0.6, 0.0, 0.0),
            goal_radius_m=0.05,
            robot_base_m=(0.0, 0.0, 0.0),
            robot_yaw_rad=self.yaw_rad,
        )
        return Cousin(
            index=index, split="train", objects=(), structures=(), relations=(), look=Look(), task=task, distances={}
        )
