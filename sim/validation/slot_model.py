"""All cousins of a library in one MuJoCo model: one slot per free object, whose geoms are set to a variant's pieces.

Fixed objects are part of the model; their joint parameters are set per cousin, and the poses of those that hang, which
slide along their walls. A cousin with a free articulated object cannot be loaded.

Compiling a scene takes tens of milliseconds, setting the geoms of its slots a fraction of one. The geom fields are read
from a donor model in which every variant is a body; a slot copies them, with the masses and friction of the cousin. The
simulated states equal those of the compiled scene up to rounding, which a test checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_from_quat_wxyz
from cousins.rounding import round_length
from cousins.scene.robot_formats.contact_friction import pair_friction
from cousins.scene.scenes import Scene, Structure, hanging_supports
from cousins.vary.cousins import Cousin, Library, ObjectInstance, Variant
from sim.validation.slot_compile import GEOM_FIELDS, compile_donors, compile_slots, slot_name, variant_geoms
from sim.validation.stability_trial import TrialConfig, TrialResult, supported_objects

PARKED_HEIGHT_M: Final = 50.0
"""Height at which unused slots are kept [m]."""
CLUTTER_PREFIX: Final = "clutter_"
"""Prefix of the names of clutter objects."""
_STATE_WARNINGS: Final = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)


class SlotModel:
    """A MuJoCo model for all cousins of a library whose free objects are rigid."""

    name = "mujoco"

    def __init__(self, library: Library, *, clutter: int) -> None:
        """Compile the model; raises `EngineError` unless `has_free_rigid_objects` holds for the library."""
        if not has_free_rigid_objects(library):
            raise EngineError("nothing that is free is rigid, so there are no slots", engine=self.name)
        self._library = library
        self._names = [placed.asset.name for placed in library.scene.objects if not placed.fixed]
        self._hanging = hanging_supports(library.scene)
        self._names += [f"{CLUTTER_PREFIX}{number}" for number in range(clutter)]
        variants = _free_rigid_variants(library)
        spec, donor = compile_donors(library.scene, variants)
        self._variant_geoms = {key: variant_geoms(donor, key, variant.asset) for key, variant in variants.items()}
        geom_counts = {
            name: _max_pieces(variants, "" if name.startswith(CLUTTER_PREFIX) else name) for name in self._names
        }
        self.model = compile_slots(spec, variants, geom_counts)
        self._index_model(donor, variants)
        self.model.body_sameframe[list(self._bodies.values())] = 0
        self.model.geom_sameframe[np.concatenate(list(self._geom_rows.values()))] = 0
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
        self.data = mujoco.MjData(self.model)
        self.timestep_s = float(self.model.opt.timestep)
        self._slot_variant: dict[str, str] = {}

    def can_hold(self, cousin: Cousin) -> bool:
        """Return whether a cousin can be loaded: all its free objects are rigid."""
        return all(instance.fixed or instance.variant in self._variant_geoms for instance in cousin.objects)

    def load_cousin(self, cousin: Cousin) -> list[str]:
        """Set the model to a cousin at rest, and return the names of its free objects.

        Raises `EngineError` for a cousin with a free articulated object.
        """
        if not self.can_hold(cousin):
            raise EngineError("a cousin in which something free has joints", engine=self.name)
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        instances = {instance.name: instance for instance in cousin.objects if not instance.fixed}
        structures = _structures_with_friction(self._library.scene, cousin)
        for number, name in enumerate(self._names):
            instance = instances.get(name)
            address = self._qpos_address[name]
            if instance is None:
                self._clear_slot(name)
                data.qpos[address : address + 7] = [float(number), 0.0, PARKED_HEIGHT_M, 1.0, 0.0, 0.0, 0.0]
                continue
            self._fill_slot(name, instance, pair_friction(instance.friction, structures))
            data.qpos[address : address + 3] = instance.position_m
            data.qpos[address + 3 : address + 7] = instance.quat_wxyz
        for instance in cousin.objects:
            if instance.fixed:
                self._set_joints(instance)
            if instance.name in self._hanging:
                self._set_pose(instance)
        qpos = data.qpos.copy()
        mujoco.mj_setConst(model, data)
        data.qpos[:] = qpos
        data.qvel[:] = 0.0
        data.qacc_warmstart[:] = 0.0
        mujoco.mj_forward(model, data)
        return list(instances)

    def run_trial(self, cousin: Cousin, config: TrialConfig) -> TrialResult:
        """Return the result of a stability trial of a cousin, equal to that of `run_trial` for its scene."""
        names = self.load_cousin(cousin)
        addresses = np.array([self._qpos_address[name] for name in names], dtype=np.int64)[:, None] + np.arange(7)
        start = self.data.qpos[addresses]
        supported = supported_objects(cousin.relations, {instance.name for instance in cousin.objects})
        max_distance_m, max_angle_rad = (
            np.array([config.motion_limits(supported=name in supported) for name in names]).reshape(-1, 2).T
        )
        depth_m = self._deepest_contact_m(names)
        if depth_m > config.overlap_m:
            return self._trial_result(names, depth_m, start, start, ("overlap at the start",))
        steps = max(1, round(config.sample_s / self.timestep_s))
        previous, samples, is_at_rest = start, 0, False
        while not is_at_rest and samples * config.sample_s < config.settle_s:
            self._step(steps)
            samples += 1
            qpos = self.data.qpos[addresses]
            is_at_rest = _all_within(previous, qpos, config.still_m, config.still_rad)
            previous = qpos
            if not _all_within(start, qpos, max_distance_m, max_angle_rad):
                return self._trial_result(names, depth_m, start, qpos, ("an object moves away or falls",))
        if not is_at_rest:
            return self._trial_result(names, depth_m, start, previous, ("an object does not come to rest",))
        self._step(max(1, round(config.watch_s / self.timestep_s)))
        qpos = self.data.qpos[addresses]
        # Heights are excluded: sinking by the last micrometres ends by itself, horizontal creep does not.
        level = qpos.copy()
        level[:, 2] = previous[:, 2]
        if not _all_within(previous, level, config.creep_m, config.creep_rad):
            return self._trial_result(names, depth_m, start, qpos, ("an object creeps",))
        if self._deepest_contact_m(names) > config.overlap_m:
            return self._trial_result(names, depth_m, start, qpos, ("overlap at rest",))
        return self._trial_result(names, depth_m, start, qpos, ())

    def _step(self, count: int) -> None:
        mujoco.mj_step(self.model, self.data, nstep=count)
        for kind in _STATE_WARNINGS:
            if self.data.warning[kind].number:
                raise EngineError(f"{kind.name}: the state exploded", engine=self.name)

    def _deepest_contact_m(self, names: Sequence[str]) -> float:
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_collision(self.model, self.data)
        if not self.data.ncon:
            return 0.0
        is_slot_body = np.zeros(self.model.nbody, dtype=bool)
        is_slot_body[[self._bodies[name] for name in names]] = True
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        depths = -self.data.contact.dist[is_slot_body[bodies].any(axis=1)]
        return max(float(depths.max(initial=0.0)), 0.0)

    def _trial_result(
        self, names: list[str], depth_m: float, start: Array, end: Array, failures: tuple[str, ...]
    ) -> TrialResult:
        rest = {
            name: rigid(rotation_from_quat_wxyz(row[3:] / np.linalg.norm(row[3:])), row[:3])
            for name, row in zip(names, end, strict=True)
        }
        distance_m = float(np.linalg.norm(end[:, :3] - start[:, :3], axis=1).max(initial=0.0))
        return TrialResult(engine=self.name, depth_m=depth_m, settled_m=distance_m, failures=failures, rest=rest)

    def _fill_slot(self, name: str, instance: ObjectInstance, friction: float) -> None:
        model, donor, body = self.model, self._variant_geoms[instance.variant], self._bodies[name]
        rows = self._geom_rows[name]
        if self._slot_variant.get(name) != instance.variant:
            count = len(donor.geoms["geom_type"])
            for field in GEOM_FIELDS:
                getattr(model, field)[rows[:count]] = donor.geoms[field]
            model.geom_contype[rows] = np.arange(len(rows)) < count
            model.geom_conaffinity[rows] = np.arange(len(rows)) < count
            self._slot_variant[name] = instance.variant
        model.geom_friction[rows, 0] = friction
        model.body_mass[body] = instance.mass_kg[0]
        model.body_inertia[body] = donor.moments * instance.mass_kg[0]
        model.body_iquat[body] = donor.axes
        model.body_ipos[body] = round_length(donor.center_m + np.array(instance.com_shift_m))

    def _set_joints(self, instance: ObjectInstance) -> None:
        for change in instance.joints:
            joint = self.model.joint(f"{instance.name}__{change.name}")
            joint.range[:] = change.lower, change.upper
            joint.damping[:], joint.frictionloss[:] = change.damping, change.friction

    def _set_pose(self, instance: ObjectInstance) -> None:
        """Set the pose of a fixed object, as MuJoCo's compiler would: with a quaternion of unit length."""
        body = self.model.body(instance.name)
        body.pos[:] = instance.position_m
        body.quat[:] = np.array(instance.quat_wxyz) / np.linalg.norm(instance.quat_wxyz)

    def _clear_slot(self, name: str) -> None:
        rows = self._geom_rows[name]
        self.model.geom_contype[rows] = 0
        self.model.geom_conaffinity[rows] = 0
        self._slot_variant.pop(name, None)

    def _index_model(self, donor: Any, variants: Mapping[str, Variant]) -> None:
        """Look up the bodies, geoms and positions of the slots, and convert mesh ids from the donor model."""
        model = self.model
        self._bodies = {name: int(model.body(slot_name(name)).id) for name in self._names}
        self._geom_rows = {name: np.flatnonzero(model.geom_bodyid == body) for name, body in self._bodies.items()}
        self._qpos_address = {
            name: int(model.jnt_qposadr[model.body_jntadr[body]]) for name, body in self._bodies.items()
        }
        donor_meshes = {donor.mesh(index).name: index for index in range(donor.nmesh)}
        mesh_ids = {donor_meshes[model.mesh(index).name]: index for index in range(model.nmesh)}
        for key in variants:
            ids = self._variant_geoms[key].geoms["geom_dataid"]
            ids[:] = [mesh_ids.get(int(index), -1) for index in ids]


def has_free_rigid_objects(library: Library) -> bool:
    """Return whether a library has variants of free objects that are rigid."""
    return bool(_free_rigid_variants(library))


def _free_rigid_variants(library: Library) -> dict[str, Variant]:
    """Return the rigid variants of the free objects, by key."""
    fixed = {placed.asset.name for placed in library.scene.objects if placed.fixed}
    return {
        key: variant
        for key, variant in library.variants.items()
        if variant.twin_object not in fixed and len(variant.asset.links) == 1
    }


def _max_pieces(variants: Mapping[str, Variant], object_name: str) -> int:
    return max(
        (len(variant.asset.links[0].pieces) for variant in variants.values() if variant.twin_object == object_name),
        default=1,
    )


def _structures_with_friction(scene: Scene, cousin: Cousin) -> tuple[Structure, ...]:
    grounds = {ground.name: ground.friction for ground in cousin.structures}
    return tuple(
        replace(
            structure,
            friction=replace(
                structure.friction, low=0.0, high=100.0, value=grounds.get(structure.name, structure.friction.value)
            ),
        )
        for structure in scene.structures
    )


def _all_within(first: Array, second: Array, max_distance_m: float | Array, max_angle_rad: float | Array) -> bool:
    """Return whether rows of position and quaternion [n, 7] differ by at most a distance [m] and an angle [rad]."""
    if not np.all(np.isfinite(second)):
        return False
    distances_m = np.linalg.norm(second[:, :3] - first[:, :3], axis=1)
    sines = np.linalg.norm(_relative_vector_part(first[:, 3:], second[:, 3:]), axis=1)
    return bool(
        np.all(distances_m <= max_distance_m) and np.all(2.0 * np.arcsin(np.minimum(sines, 1.0)) <= max_angle_rad)
    )


def _relative_vector_part(first: Array, second: Array) -> Array:
    """Return the vector part of the rotation from one quaternion wxyz [n, 4] to another."""
    w, v = first[:, :1], first[:, 1:]
    return np.asarray(w * second[:, 1:] - second[:, :1] * v - np.cross(v, second[:, 1:]))
