"""Conformance tests of physics engines: a scene behaves the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_about, rotation_angle_rad, transform
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset, Joint, Piece
from cousins.scene.scenes import Scene
from sim.physics.engine import GRAVITY_M_S2, Engine
from sim.physics.simple_assets import (
    articulated_asset,
    box_piece,
    cylinder_piece,
    hull_piece,
    make_link,
    make_scene,
    place,
    rigid_asset,
    slab,
    sphere_piece,
)

HALF_M = 0.05
SHAPES = ("box", "hull", "two hulls", "cylinder", "sphere", "many boxes")


def pieces(shape: str) -> list[Piece]:
    """Return pieces that fill a 10 cm box, or round shapes of that size."""
    if shape == "box":
        return [box_piece([0.1, 0.1, 0.1])]
    if shape == "hull":
        return [hull_piece(box_piece([0.1, 0.1, 0.1]).mesh.vertices)]
    if shape == "two hulls":
        halves = [box_piece([0.05, 0.1, 0.1], center_m=(x, 0.0, 0.0)) for x in (-0.025, 0.025)]
        return [hull_piece(half.mesh.vertices) for half in halves]
    if shape == "many boxes":
        return [box_piece([0.005, 0.1, 0.1], center_m=(-0.0475 + 0.005 * i, 0.0, 0.0)) for i in range(20)]
    return [cylinder_piece(HALF_M, 0.1) if shape == "cylinder" else sphere_piece(HALF_M)]


def cube(name: str = "cube", shape: str = "box", **values: float) -> Asset:
    return rigid_asset(name, pieces(shape), **values)


def steps(engine: Engine, duration_s: float) -> None:
    engine.step(round(duration_s / engine.timestep_s))


@pytest.fixture(params=["pybullet", "mujoco"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    module = load_backend("sim.physics.backends", request.param, kind="engine")
    with module.build(module.Config()) as running:
        yield running


@pytest.fixture(params=["pybullet", "mujoco", "fake"])
def any_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    module = load_backend("sim.physics.backends", request.param, kind="engine")
    with module.build(module.Config()) as running:
        yield running


def tilted(scene: Scene, angle_rad: float) -> Scene:
    """Return the scene as if the ground were tilted about y, by turning everything that moves and stands."""
    world_from_flat = rigid(rotation_about(np.array([0.0, 1.0, 0.0]), angle_rad))
    structures = []
    for structure in scene.structures:
        hulls = tuple(hull_piece(transform(world_from_flat, piece.mesh.vertices)) for piece in structure.pieces)
        structures.append(
            type(structure)(
                name=structure.name,
                kind=structure.kind,
                visual=structure.visual.transformed(world_from_flat),
                pieces=hulls,
                friction=structure.friction,
                restitution=structure.restitution,
            )
        )
    objects = [
        place(placed.asset, *(world_from_flat @ placed.world_from_asset)[:3, 3], rotation=world_from_flat[:3, :3])
        for placed in scene.objects
    ]
    return make_scene(*objects, structures=structures)


def test_a_free_body_falls_as_gravity_says(engine: Engine) -> None:
    engine.load(make_scene(place(cube(), 0.0, 0.0, 5.0)))
    steps(engine, 0.5)
    fallen = 5.0 - engine.poses()["cube"][2, 3]
    assert fallen == pytest.approx(0.5 * GRAVITY_M_S2 * 0.25, abs=GRAVITY_M_S2 * 0.5 * engine.timestep_s)
    assert engine.velocities()["cube"] == pytest.approx([0, 0, -GRAVITY_M_S2 * 0.5, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_rests_where_its_surface_is_and_not_on_a_margin(engine: Engine, shape: str) -> None:
    engine.load(make_scene(place(cube(shape=shape), 0.0, 0.0, HALF_M + 0.002)))
    steps(engine, 1.0)
    assert engine.poses()["cube"][2, 3] == pytest.approx(HALF_M, abs=1.5e-4)
    assert max(contact.depth_m for contact in engine.contacts()) < 1.5e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_contacts_at_time_zero_have_the_right_depth_without_a_step(engine: Engine, shape: str) -> None:
    engine.load(make_scene(place(cube(shape=shape), 0.0, 0.0, HALF_M - 0.003)))
    before = engine.poses()["cube"].copy()
    contacts = engine.contacts()
    assert max(contact.depth_m for contact in contacts) == pytest.approx(0.003, abs=2.5e-5)
    assert {frozenset((contact.first, contact.second)) for contact in contacts} == {frozenset(("cube", "floor"))}
    assert np.array_equal(engine.poses()["cube"], before)


def test_a_contact_says_which_way_out(engine: Engine) -> None:
    wall = rigid_asset("wall", [box_piece([0.1, 0.1, 0.1])])
    engine.load(make_scene(place(cube(shape="hull"), 0.0, 0.0, 1.0), place(wall, 0.09, 0.0, 1.0)))
    contacts = engine.contacts()
    assert contacts
    for contact in contacts:
        assert contact.normal[0] == pytest.approx(1.0 if contact.first == "wall" else -1.0, abs=1e-6)


def test_a_gap_is_no_contact(engine: Engine) -> None:
    engine.load(make_scene(place(cube(), 0.0, 0.0, HALF_M + 5e-5)))
    assert [contact for contact in engine.contacts() if contact.depth_m > 0.0] == []


def test_a_collision_conserves_the_momentum_of_the_given_masses(engine: Engine) -> None:
    heavy, light = cube("heavy", "sphere", mass_kg=0.6), cube("light", "sphere", mass_kg=0.2)
    engine.load(make_scene(place(heavy, 0.0, 0.0, 5.0), place(light, 0.12, 0.0, 5.0)))
    engine.set_velocity("heavy", np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    steps(engine, 0.3)
    speeds = {name: velocity[0] for name, velocity in engine.velocities().items()}
    assert speeds["light"] >= speeds["heavy"] > 0.0
    assert 0.6 * speeds["heavy"] + 0.2 * speeds["light"] == pytest.approx(0.6, abs=1e-3)


def test_a_tumbling_body_conserves_its_angular_momentum(engine: Engine) -> None:
    plank = rigid_asset("plank", [box_piece([0.3, 0.1, 0.02])], mass_kg=0.5)
    engine.load(make_scene(place(plank, 0.0, 0.0, 9.0)))
    spin = np.array([0.0, 0.0, 0.0, 0.3, 6.0, 0.2])
    engine.set_velocity("plank", spin)
    steps(engine, 0.4)
    assert angular_momentum(engine, plank) == pytest.approx(plank.links[0].inertia_kg_m2 @ spin[3:], rel=0.08, abs=4e-4)


def angular_momentum(engine: Engine, asset: Asset) -> Array:
    rotation = engine.poses()[asset.name][:3, :3]
    return np.asarray(rotation @ asset.links[0].inertia_kg_m2 @ rotation.T @ engine.velocities()[asset.name][3:])


def test_an_off_centre_mass_turns_about_its_own_centre(engine: Engine) -> None:
    lopsided = rigid_asset("lopsided", [box_piece([0.1, 0.1, 0.1], center_m=(0.2, 0.0, 0.0))], mass_kg=0.5)
    engine.load(make_scene(place(lopsided, 0.0, 0.0, 5.0)))
    engine.set_velocity("lopsided", np.array([0.0, 0.0, 0.0, 0.0, 0.0, np.pi]))
    assert engine.velocities()["lopsided"] == pytest.approx([0, 0, 0, 0, 0, np.pi], abs=1e-9)
    steps(engine, 0.5)
    pose = engine.poses()["lopsided"]
    assert transform(pose, np.array([0.2, 0.0, 0.0]))[:2] == pytest.approx([0.2, 0.0], abs=2e-3)
    assert rotation_angle_rad(pose[:3, :3]) == pytest.approx(np.pi / 2.0, abs=0.02)


@pytest.mark.parametrize("friction", [0.3, 0.6])
def test_a_body_sticks_inside_the_friction_cone_and_slides_outside(engine: Engine, friction: float) -> None:
    scene = make_scene(
        place(cube(shape="hull", friction=friction), 0.0, 0.0, HALF_M), structures=[slab(friction=friction)]
    )
    moved = {}
    for factor in (0.85, 1.15):
        engine.load(tilted(scene, np.arctan(factor * friction)))
        start = engine.poses()["cube"]
        steps(engine, 1.0)
        moved[factor] = float(np.linalg.norm(engine.poses()["cube"][:3, 3] - start[:3, 3]))
    angle = np.arctan(1.15 * friction)
    expected = 0.5 * GRAVITY_M_S2 * (np.sin(angle) - friction * np.cos(angle))
    assert moved[0.85] < 0.003
    assert moved[1.15] == pytest.approx(expected, rel=0.15)


def bounce(engine: Engine, restitution: float) -> float:
    """Return the speed after a bounce over the speed before it."""
    ball = cube("ball", "sphere", restitution=restitution)
    engine.load(make_scene(place(ball, 0.0, 0.0, 1.0 + HALF_M), structures=[slab(restitution=restitution)]))
    steps(engine, float(np.sqrt(2.0 / GRAVITY_M_S2)) + 0.05)
    highest = 0.0
    for _ in range(40):
        steps(engine, 0.02)
        highest = max(highest, engine.poses()["ball"][2, 3] - HALF_M)
    return float(np.sqrt(highest))


@pytest.mark.parametrize("restitution", [0.0, 0.5, 0.8])
def test_a_ball_bounces_as_its_restitution_says_in_bullet(restitution: float) -> None:
    module = load_backend("sim.physics.backends", "pybullet", kind="engine")
    with module.build(module.Config()) as engine:
        assert bounce(engine, restitution) == pytest.approx(restitution, abs=0.06)


@pytest.mark.parametrize("restitution", [0.0, 0.5, 0.8])
def test_a_ball_bounces_no_higher_than_its_restitution_says(engine: Engine, restitution: float) -> None:
    assert bounce(engine, restitution) < restitution + 0.15


def crowd(seed: int, assets: list[Asset], ground: Scene) -> Scene:
    """Return some things that stand close to each other on the ground of a scene."""
    rng = np.random.default_rng(seed)
    indices = rng.permutation(len(assets))[: 8 + seed]
    upright = np.array([0.0, 0.0, 1.0])
    placed = [
        place(
            assets[index],
            0.13 * (spot % 4) + float(rng.uniform(0.0, 0.02)),
            0.13 * (spot // 4) + float(rng.uniform(0.0, 0.02)),
            HALF_M + 1e-5,
            rotation=rotation_about(upright, float(rng.uniform(-0.8, 0.8))),
        )
        for spot, index in enumerate(indices)
    ]
    return replace(ground, objects=tuple(placed))


def test_the_future_of_a_scene_does_not_depend_on_what_was_loaded_before(engine: Engine) -> None:
    ground = make_scene(structures=(slab("floor", top_m=0.0),))
    assets = [cube(f"thing_{i}", SHAPES[i % len(SHAPES)]) for i in range(12)]
    module = load_backend("sim.physics.backends", engine.name, kind="engine")
    for seed in (0, 1, 2, 1, 0):
        with module.build(module.Config()) as fresh:
            fresh.load(crowd(seed, assets, ground))
            steps(fresh, 0.1)
            expected = {name: pose.tolist() for name, pose in fresh.poses().items()}
        engine.load(crowd(seed, assets, ground))
        steps(engine, 0.1)
        assert {name: pose.tolist() for name, pose in engine.poses().items()} == expected


def test_what_is_fixed_stays_and_carries(any_engine: Engine) -> None:
    held = replace(place(cube("held"), 0.0, 0.0, 1.0), fixed=True)
    any_engine.load(make_scene(held, place(cube("free"), 0.0, 0.0, 1.0 + 2.0 * HALF_M)))
    start = any_engine.poses()["held"]
    any_engine.set_velocity("held", np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    steps(any_engine, 0.5)
    assert any_engine.poses()["held"] == pytest.approx(start, abs=1e-12)
    assert any_engine.velocities()["held"] == pytest.approx(np.zeros(6), abs=1e-9)
    assert any_engine.poses()["free"][2, 3] == pytest.approx(1.0 + 2.0 * HALF_M, abs=2e-4)


def test_fixed_things_do_not_touch_each_other_or_structure(engine: Engine) -> None:
    both = [replace(place(cube(f"cube_{i}"), 0.02 * i, 0.0, 0.02), fixed=True) for i in range(2)]
    engine.load(make_scene(*both))
    assert engine.contacts() == []


def cabinet() -> Asset:
    """Return a heavy frame with a drawer that hangs down along -z and a flap that hangs down about y."""
    frame = make_link("frame", [box_piece([0.4, 0.4, 0.02])], mass_kg=50.0)
    drawer = make_link("drawer", [box_piece([0.05, 0.05, 0.05])], mass_kg=0.2)
    flap = make_link("flap", [box_piece([0.1, 0.02, 0.02], center_m=(0.05, 0.0, 0.0))], mass_kg=0.1)
    slide = Joint(
        name="slide",
        kind="prismatic",
        parent="frame",
        child="drawer",
        parent_from_child=rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.7), np.array([0.1, 0.05, 0.4])),
        axis=np.array([0.0, 0.0, -1.0]),
        lower=0.0,
        upper=0.15,
    )
    hinge = Joint(
        name="hinge",
        kind="revolute",
        parent="frame",
        child="flap",
        parent_from_child=rigid(None, np.array([-0.1, 0.0, 0.4])),
        axis=np.array([0.0, 1.0, 0.0]),
        lower=-0.2,
        upper=0.8,
        damping=0.001,
    )
    return articulated_asset("cabinet", [frame, drawer, flap], joints=[slide, hinge])


def test_joints_move_along_their_axes_down_to_their_limits(engine: Engine) -> None:
    engine.load(make_scene(place(cabinet(), 0.0, 0.0, 0.01)))
    steps(engine, 0.1)
    assert engine.joints()["cabinet", "slide"] == pytest.approx(0.5 * GRAVITY_M_S2 * 0.01, rel=0.1)
    assert engine.joints()["cabinet", "hinge"] > 0.01
    steps(engine, 1.5)
    assert engine.joints() == {
        ("cabinet", "slide"): pytest.approx(0.15, abs=0.003),
        ("cabinet", "hinge"): pytest.approx(0.8, abs=0.02),
    }
    assert engine.poses()["cabinet"][:3, 3] == pytest.approx([0.0, 0.0, 0.01], abs=5e-4)


def test_a_link_is_where_its_joint_puts_it(engine: Engine) -> None:
    """Two obstacles locate drawer and flap: each touches exactly one of them."""
    post = [rigid_asset(f"post_{i}", [box_piece([0.01, 0.01, 0.01])]) for i in range(2)]
    asset = cabinet()
    engine.load(make_scene(place(asset, 0.0, 0.0, 1.0), place(post[0], 0.1, 0.05, 1.3), place(post[1], 2.0, 0.0, 1.0)))
    touching = {c.first for c in engine.contacts()} | {c.second for c in engine.contacts()}
    assert touching == set()
    engine.set_joint("cabinet", "slide", 0.1)
    (contact,) = {frozenset((c.first, c.second)) for c in engine.contacts()}
    assert contact == {"cabinet", "post_0"}
    angle = 0.5
    tip = np.array([-0.1 + 0.1 * np.cos(angle), 0.0, 1.4 - 0.1 * np.sin(angle)])
    engine.set_joint("cabinet", "slide", 0.0)
    engine.set_pose("post_1", rigid(None, tip))
    assert engine.contacts() == []
    engine.set_joint("cabinet", "hinge", angle)
    (contact,) = {frozenset((c.first, c.second)) for c in engine.contacts()}
    assert contact == {"cabinet", "post_1"}


def test_parts_of_one_asset_do_not_collide(engine: Engine) -> None:
    base = make_link("base", [box_piece([0.1, 0.1, 0.1])], mass_kg=1.0)
    inner = make_link("inner", [box_piece([0.05, 0.05, 0.05])], mass_kg=0.1)
    joint = Joint(
        name="held",
        kind="fixed",
        parent="base",
        child="inner",
        parent_from_child=rigid(None, np.array([0.0, 0.0, 0.04])),
        axis=np.array([0.0, 0.0, 1.0]),
    )
    engine.load(make_scene(place(articulated_asset("both", [base, inner], joints=[joint]), 0.0, 0.0, 2.0)))
    assert engine.contacts() == []
    steps(engine, 0.2)
    assert engine.velocities()["both"] == pytest.approx([0, 0, -GRAVITY_M_S2 * 0.2, 0, 0, 0], abs=0.02)
    assert engine.joints() == {}


def test_the_mass_of_a_link_is_its_own(engine: Engine) -> None:
    """A light ball with a heavy one behind it strikes a third; the momentum reveals all masses."""
    front, behind = (
        make_link("front", [sphere_piece(HALF_M)], mass_kg=0.1),
        make_link("behind", [sphere_piece(0.02)], mass_kg=0.5),
    )
    held = Joint(
        name="held",
        kind="fixed",
        parent="front",
        child="behind",
        parent_from_child=rigid(None, np.array([-0.05, 0.0, 0.0])),
        axis=np.array([0.0, 0.0, 1.0]),
    )
    pair, light = articulated_asset("pair", [front, behind], joints=[held]), cube("light", "sphere", mass_kg=0.2)
    engine.load(make_scene(place(pair, 0.0, 0.0, 5.0), place(light, 0.12, 0.0, 5.0)))
    engine.set_velocity("pair", np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    steps(engine, 0.3)
    speeds = {name: velocity[0] for name, velocity in engine.velocities().items()}
    assert speeds["light"] >= speeds["pair"] > 0.0
    assert 0.6 * speeds["pair"] + 0.2 * speeds["light"] == pytest.approx(0.6, abs=2e-3)


def test_the_friction_of_a_link_is_that_of_its_asset(engine: Engine) -> None:
    deck = make_link("deck", [box_piece([0.1, 0.1, 0.02])], mass_kg=0.2)
    runner = make_link("runner", [box_piece([0.1, 0.1, 0.02])], mass_kg=0.2)
    held = Joint(
        name="held",
        kind="fixed",
        parent="deck",
        child="runner",
        parent_from_child=rigid(None, np.array([0.0, 0.0, -0.03])),
        axis=np.array([0.0, 0.0, 1.0]),
    )
    sled = articulated_asset("sled", [deck, runner], joints=[held], friction=0.1)
    engine.load(make_scene(place(sled, 0.0, 0.0, 0.04), structures=[slab(friction=0.1)]))
    engine.set_velocity("sled", np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    steps(engine, 1.5)
    assert engine.poses()["sled"][0, 3] == pytest.approx(1.0 / (2.0 * 0.1 * GRAVITY_M_S2), rel=0.1)


def test_set_pose_is_exact_and_stops_the_body(any_engine: Engine) -> None:
    any_engine.load(
        make_scene(
            place(rigid_asset("plank", [box_piece([0.3, 0.1, 0.02], center_m=(0.05, 0.0, 0.01))]), 0.0, 0.0, 1.0)
        )
    )
    any_engine.set_velocity("plank", np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    pose = rigid(rotation_about(np.array([1.0, 2.0, 3.0]), 2.5), np.array([0.3, -0.2, 1.7]))
    any_engine.set_pose("plank", pose)
    assert any_engine.poses()["plank"] == pytest.approx(pose, abs=1e-12)
    assert any_engine.velocities()["plank"] == pytest.approx(np.zeros(6), abs=1e-12)


def test_loading_twice_gives_the_same_bits(engine: Engine) -> None:
    scene = make_scene(*[place(cube(f"cube_{i}", "two hulls"), 0.01 * i, 0.0, 0.06 + 0.11 * i) for i in range(3)])
    states = []
    for _ in range(2):
        engine.load(scene)
        steps(engine, 0.7)
        states.append({name: pose.tobytes() for name, pose in engine.poses().items()})
    assert states[0] == states[1]


def test_nothing_of_a_scene_is_left_in_the_next(any_engine: Engine) -> None:
    any_engine.load(make_scene(place(cabinet(), 0.0, 0.0, 0.5), place(cube("old"), 0.0, 0.0, 2.0)))
    any_engine.load(make_scene(place(cube("new"), 0.0, 0.0, 3.0)))
    assert set(any_engine.poses()) == {"new"}
    assert any_engine.joints() == {}
    any_engine.step(10)
    assert any_engine.contacts() == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(any_engine: Engine, value: float) -> None:
    asset = cube()
    bad_pose = rigid(None, np.array([0.0, value, 1.0]))
    with pytest.raises(EngineError, match="the pose of cube holds NaN or infinity"):
        any_engine.load(make_scene(place(asset, 0.0, value, 1.0)))
    any_engine.load(make_scene(place(asset, 0.0, 0.0, 1.0)))
    with pytest.raises(EngineError, match="the pose of cube holds NaN or infinity"):
        any_engine.set_pose("cube", bad_pose)
    with pytest.raises(EngineError, match="the velocity of cube holds NaN or infinity"):
        any_engine.set_velocity("cube", np.full(6, value))


def test_an_exploding_state_is_reported(engine: Engine) -> None:
    engine.load(make_scene(place(cube(), 0.0, 0.0, 1.0)))
    engine.set_velocity("cube", np.array([1e5, 0.0, 0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(EngineError, match=r"cube exploded|the state exploded"):
        engine.step(3)


def test_a_body_without_mass_is_refused(any_engine: Engine) -> None:
    with pytest.raises(EngineError, match="link base of cube has mass 0 kg"):
        any_engine.load(make_scene(place(cube(mass_kg=0.0), 0.0, 0.0, 1.0)))


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.load(make_scene(place(cube(), 0.0, 0.0, 1.0)))
    engine.close()
    with pytest.raises(EngineError, match=r"used after it was closed|no scene is loaded"):
        engine.poses()
