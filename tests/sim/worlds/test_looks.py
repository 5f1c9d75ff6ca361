"""What is drawn stands where the engine has it."""

from __future__ import annotations

import mujoco
import numpy as np

from sim.bodies import build as body_of
from sim.worlds.backends.mujoco import build
from sim.worlds.looks import meshes_of_row
from sim.worlds.worlds import slots_of
from tests.sim.worlds.sources_for_tests import TinyCousins


def test_meshes_of_a_row_stand_where_the_engine_has_them() -> None:
    source, body = TinyCousins(yaw_rad=0.4), body_of("gripper")
    batch = build(source, body, rows=1, slots=slots_of(source, (1,)))
    batch.load_cousin(0, 1)
    batch.set_joint(0, 0, 0.7)
    batch.set_joint(0, 1, 0.1)
    batch.set_drives(0, np.array([0.4, -0.1, 0.2, 0.5, 0.03, 0.01]))
    batch.step(np.array([[0.3, 0.0, 0.0, 0.0, 0.0, 0.0]]), 12)
    scene = source.scene(1)
    meshes = meshes_of_row(scene, source.cousin(1).task, body, batch.slots, batch.read(), 0)
    row = batch._row(0)
    model, data = row.compiled.model, row.data
    mujoco.mj_forward(model, data)
    assets = [*(placed.asset for placed in scene.objects), body.asset]
    names = [
        (name if link is asset.links[0] else f"{name}__{link.name}", link)
        for asset, name in zip(assets, ["box", "cabinet", "ball", "robot"], strict=True)
        for link in asset.links
        if len(link.visual.faces)
    ]
    assert len(meshes) == len(scene.structures) + len(names)
    for (name, link), mesh in zip(names, meshes[len(scene.structures) :], strict=True):
        body_id = model.body(name).id
        expected = link.visual.vertices @ data.xmat[body_id].reshape(3, 3).T + data.xpos[body_id]
        np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)
