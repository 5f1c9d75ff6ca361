"""The law book of families: every file in the folder makes assets that are whole, weigh, stand, move and hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import manifold3d
import numpy as np
import pytest
import trimesh

from cousins.affordances import Signature, measure_affordances
from cousins.affordances.hulls import hulls_of, link_poses
from cousins.errors import UnknownNameError
from cousins.families.family import Family, Parameters, family_names, load_family
from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset, Joint
from cousins.reconstruct.collision.solids import solid_of, thickness_m
from cousins.scene.io.obj import round_mesh
from sim.physics.simple_assets import place
from sim.validation.probes import DropConfig, drop_assets, probe_cavity

SEEDS = (0, 1)
NAMES = family_names()
HOLLOW = [name for name in NAMES if load_family(name).hollow]
MOVING = ["bin_with_lid", "cabinet", "counter", "drawer_unit", "fridge", "jar_with_lid", "microwave", "oven"]


def sampled(name: str, seed: int) -> tuple[Family, Parameters, np.random.Generator]:
    rng = np.random.default_rng([11, seed])
    object_family = load_family(name)
    return object_family, object_family.sample(rng), rng


@cache
def instance(name: str, seed: int) -> Asset:
    object_family, values, rng = sampled(name, seed)
    return object_family.build(values, name=name, rng=rng, texture_px=16)


@cache
def measured(name: str, seed: int) -> Signature:
    return measure_affordances(instance(name, seed))


def every(test: object) -> object:
    return pytest.mark.parametrize("name", NAMES)(pytest.mark.parametrize("seed", SEEDS)(test))


def test_there_are_twenty_families_and_eight_of_them_move_or_hold() -> None:
    assert len(NAMES) >= 20
    assert len({*HOLLOW, *MOVING}) >= 8
    with pytest.raises(UnknownNameError, match=r"no family named 'mugg'.*expected one of .*mug"):
        load_family("mugg")


@every
def test_every_link_is_watertight_as_it_is_written_and_has_looks(name: str, seed: int) -> None:
    for link in instance(name, seed).links:
        mesh = round_mesh(link.visual)
        assert solid_of(mesh).status() == manifold3d.Error.NoError
        assert len(solid_of(mesh).decompose()) == 1
        assert solid_of(mesh).volume() > 0.0
        shell = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        shell.merge_vertices(merge_tex=True, merge_norm=True)
        assert shell.is_watertight
        assert mesh.uv is not None
        assert mesh.texture is not None
        assert mesh.uv.min() >= 0.0
        assert mesh.uv.max() <= 1.0
        assert mesh.texture.shape[0] == 16


@every
def test_its_extents_are_its_measures_about_the_middle_of_its_box(name: str, seed: int) -> None:
    object_family, values, _ = sampled(name, seed)
    asset = instance(name, seed)
    poses = link_poses(asset)
    points = np.concatenate([transform(poses[link.name], link.visual.vertices) for link in asset.links])
    np.testing.assert_allclose(points.max(axis=0) + points.min(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.ptp(points, axis=0), asset.size_m, atol=1e-6)
    np.testing.assert_allclose(asset.size_m, [values[size] for size in object_family.extents], atol=1.5e-3)  # type: ignore[attr-defined]


@every
def test_pieces_are_convex_and_lie_on_what_is_seen(name: str, seed: int) -> None:
    asset = instance(name, seed)
    for link in asset.links:
        hulls = [manifold3d.Manifold.hull_points(piece.mesh.vertices) for piece in link.pieces]
        for hull, piece in zip(hulls, link.pieces, strict=True):
            assert solid_of(piece.mesh).volume() == pytest.approx(hull.volume(), rel=1e-3)
            assert thickness_m(hull) > 1e-4
        pieces = manifold3d.Manifold.batch_boolean(hulls, manifold3d.OpType.Add)
        visual = solid_of(link.visual)
        assert thickness_m(pieces - visual) < 0.0035
        assert thickness_m(visual - pieces) < 0.0035
        assert (visual - pieces).volume() < 0.05 * visual.volume()
    hulls_found = hulls_of(asset)
    assert np.all(hulls_found.high <= asset.size_m / 2 + 1e-4)
    assert np.all(hulls_found.low >= -asset.size_m / 2 - 1e-4)


@every
def test_mass_and_inertia_are_those_of_a_body(name: str, seed: int) -> None:
    for link in instance(name, seed).links:
        assert 1e-3 < link.mass_kg.low <= link.mass_kg.value <= link.mass_kg.high < 500.0
        moments = np.linalg.eigvalsh(link.inertia_kg_m2)
        assert moments[0] > 0.0
        assert moments[0] + moments[1] >= moments[2]
        hull = manifold3d.Manifold.hull_points(link.visual.vertices)
        low, high = np.array(hull.bounding_box()).reshape(2, 3)
        assert np.all((link.center_of_mass_m > low) & (link.center_of_mass_m < high))


@every
def test_the_same_chance_gives_the_same_asset_and_signature(name: str, seed: int) -> None:
    object_family, values, rng = sampled(name, seed)
    again = object_family.build(values, name=name, rng=rng, texture_px=16)
    for link, other in zip(again.links, instance(name, seed).links, strict=True):
        np.testing.assert_array_equal(link.visual.vertices, other.visual.vertices)
        np.testing.assert_array_equal(link.visual.texture, other.visual.texture)
    if seed == 0:
        assert measure_affordances(again) == measured(name, seed)


@pytest.mark.parametrize("name", NAMES)
def test_another_chance_gives_another_asset(name: str) -> None:
    first, second = (instance(name, seed) for seed in SEEDS)
    assert not np.allclose(first.size_m, second.size_m)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_made_in_the_size_of_another_thing_or_not_at_all(name: str) -> None:
    object_family, _, rng = sampled(name, 0)
    target_size_m = instance(name, 1).size_m * np.array([1.02, 1.02, 0.98])
    if name == "ball":
        target_size_m = np.full(3, 0.1)
    values = object_family.sample_with_size(target_size_m, rng)
    assert values is not None
    size = object_family.build(values, name=name, rng=rng, texture_px=0).size_m
    np.testing.assert_allclose(size, target_size_m, rtol=0.16)
    assert object_family.sample_with_size(np.array([5.0, 5.0, 5.0]), rng) is None
    assert object_family.sample_with_size(np.array([0.02, 0.02, 0.9]), rng) is None


@pytest.mark.parametrize("engine_name", ["mujoco", "pybullet"])
def test_all_families_stand_at_rest(engine_name: str) -> None:
    module = load_backend("sim.physics.backends", engine_name, kind="engine")
    assets = [replace(instance(name, 0), name=name) for name in NAMES]
    config = DropConfig(height_m=0.0005, max_duration_s=2.0, still_m=1e-3, still_rad=2e-2)
    with module.build(module.Config()) as engine:
        drops = drop_assets([place(asset, 0.0, 0.0, 0.0) for asset in assets], engine, config=config)
    for drop in drops:
        assert drop.rested or drop.name == "ball", drop
        assert drop.turned_rad < np.deg2rad(3.0) or drop.name == "ball", drop
        assert drop.depth_m < 1e-3, drop


def moved_joint_pose(joint: Joint, position: float) -> Array:
    """Return `parent_from_child` of a joint at a position."""
    if joint.kind == "prismatic":
        return joint.parent_from_child @ rigid(translation=joint.axis * position)
    return joint.parent_from_child @ rigid(rotation_about(joint.axis, position))


def boxes_disjoint(first: Array, second: Array) -> bool:
    return bool(np.any(first.min(axis=0) > second.max(axis=0)) or np.any(second.min(axis=0) > first.max(axis=0)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MOVING)
def test_a_joint_moves_through_its_range_and_meets_nothing_of_its_own(name: str, seed: int) -> None:
    asset = instance(name, seed)
    assert asset.joints
    poses = link_poses(asset)
    links = {link.name: link for link in asset.links}
    for joint in asset.joints:
        other_pieces = [
            transform(poses[link.name], piece.mesh.vertices)
            for link in asset.links
            if link.name != joint.child
            for piece in link.pieces
        ]
        for position in np.linspace(joint.lower, joint.upper, 6):
            pose = poses[joint.parent] @ moved_joint_pose(joint, float(position))
            for piece in links[joint.child].pieces:
                moved = transform(pose, piece.mesh.vertices)
                for other in other_pieces:
                    if not boxes_disjoint(moved, other):
                        shared = manifold3d.Manifold.hull_points(moved) ^ manifold3d.Manifold.hull_points(other)
                        assert shared.volume() < 1e-10, (joint.name, position)


@pytest.mark.parametrize("name", MOVING)
def test_a_hand_finds_a_handle_at_a_joint(name: str) -> None:
    joints = measured(name, 0).joints
    assert len(joints) == len(instance(name, 0).joints)
    assert any(joint.handle_m is not None for joint in joints)


@pytest.mark.parametrize("name", HOLLOW)
def test_what_is_hollow_holds_a_ball(name: str) -> None:
    cavity = measured(name, 0).cavity
    assert cavity is not None
    module = load_backend("sim.physics.backends", "mujoco", kind="engine")
    with module.build(module.Config()) as engine:
        assert probe_cavity(instance(name, 0), engine, duration_s=1.0).ball_inside


def test_a_jar_under_its_lid_has_no_hollow_for_the_gate_either() -> None:
    assert measured("jar_with_lid", 0).cavity is None
    module = load_backend("sim.physics.backends", "mujoco", kind="engine")
    with module.build(module.Config()) as engine:
        assert not probe_cavity(instance("jar_with_lid", 0), engine, duration_s=0.1).has_hollow
