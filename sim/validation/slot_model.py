"""The cousins of a library in one MuJoCo model: a slot for each free object, whose geoms point at a variant's pieces.

What is fixed stands in the model as it is, with the numbers of its joints to be set. A cousin in which something free
has joints has no place here.

Compiling a scene takes tens of milliseconds, pointing its slots at other pieces a fraction of one. A donor model, in
which every variant is a body, tells how MuJoCo lays each piece; a slot takes these numbers over, with its cousin's
masses and frictions. The states are those of the compiled scene but for rounding, which a test checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_from_quat_wxyz
from cousins.scene.contact_friction import pair_friction
from cousins.scene.io.rounding import round_length
from cousins.scene.scenes import Scene, Structure
from cousins.vary.cousins import Cousin, Library, Stand, Variant
from sim.validation.slot_compile import GEOM_FIELDS, donors_of, laid, slot_name, with_slots
from sim.validation.stability_trial import Trial, TrialConfig, riders_of

PARKED_M: Final = 50.0
"""Height at which slots that a cousin leaves empty are kept [m]."""
CLUTTER: Final = "clutter_"
"""What the names of clutter begin with."""
_BROKEN: Final = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


class Superset:
    """A MuJoCo model that can show every cousin of a library in which all that is free is rigid."""

    name = "mujoco"

    def __init__(self, library: Library, *, clutter: int) -> None:
        """Compile; raises `EngineError` where nothing that is free is rigid, which `fits` tells beforehand."""
        if not fits(library):
            raise EngineError("nothing that is free is rigid, so there are no slots", engine=self.name)
        self._library = library
        self._names = [one.asset.name for one in library.scene.objects if not one.fixed]
        self._names += [f"{CLUTTER}{number}" for number in range(clutter)]
        movable = _movable(library)
        spec, donor = donors_of(library.scene, movable)
        self._variants = {key: laid(donor, key, one.asset) for key, one in movable.items()}
        most = {name: _most_pieces(movable, "" if name.startswith(CLUTTER) else name) for name in self._names}
        self.model = with_slots(spec, movable, most)
        self._relate(donor, movable)
        self.model.body_sameframe[list(self._bodies.values())] = 0
        self.model.geom_sameframe[np.concatenate(list(self._rows.values()))] = 0
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
        self.data = mujoco.MjData(self.model)
        self.timestep_s = float(self.model.opt.timestep)
        self._shown: dict[str, str] = {}

    def shows(self, cousin: Cousin) -> bool:
        """Tell whether a cousin has a place here: all that is free in it is rigid."""
        return all(stand.fixed or stand.variant in self._variants for stand in cousin.stands)

    def show(self, cousin: Cousin) -> list[str]:
        """Put a cousin into the model, at rest, and return the names of its free objects.

        Raises `EngineError` for a cousin that has no place here.
        """
        if not self.shows(cousin):
            raise EngineError("a cousin in which something free has joints", engine=self.name)
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        stands = {stand.name: stand for stand in cousin.stands if not stand.fixed}
        structures = _changed(self._library.scene, cousin)
        for number, name in enumerate(self._names):
            stand = stands.get(name)
            at = self._qpos[name]
            if stand is None:
                self._empty(name)
                data.qpos[at : at + 7] = [float(number), 0.0, PARKED_M, 1.0, 0.0, 0.0, 0.0]
                continue
            self._fill(name, stand, pair_friction(stand.friction, structures))
            data.qpos[at : at + 3] = stand.position_m
            data.qpos[at + 3 : at + 7] = stand.quat_wxyz
        for stand in cousin.stands:
            if stand.fixed:
                self._set_joints(stand)
        keep = data.qpos.copy()
        mujoco.mj_setConst(model, data)
        data.qpos[:] = keep
        data.qvel[:] = 0.0
        data.qacc_warmstart[:] = 0.0
        mujoco.mj_forward(model, data)
        return list(stands)

    def try_cousin(self, cousin: Cousin, config: TrialConfig) -> Trial:
        """Return the trial of a cousin in MuJoCo, equal to what `try_scene` finds for its scene."""
        names = self.show(cousin)
        adr = np.array([self._qpos[name] for name in names], dtype=np.int64)[:, None] + np.arange(7)
        start = self.data.qpos[adr]
        riders = riders_of(cousin.relations, {stand.name for stand in cousin.stands})
        most_m, most_rad = np.array([config.settled(rides=name in riders) for name in names]).reshape(-1, 2).T
        depth = self._deepest(names)
        if depth > config.overlap_m:
            return self._told(names, depth, start, start, ("overlap at the start",))
        steps = max(1, round(config.look_s / self.timestep_s))
        last, looks, resting = start, 0, False
        while not resting and looks * config.look_s < config.settle_s:
            self._step(steps)
            looks += 1
            now = self.data.qpos[adr]
            resting = _within(last, now, config.still_m, config.still_rad)
            last = now
            if not _within(start, now, most_m, most_rad):
                return self._told(names, depth, start, now, ("an object moves away or falls",))
        if not resting:
            return self._told(names, depth, start, last, ("an object does not come to rest",))
        self._step(max(1, round(config.watch_s / self.timestep_s)))
        now = self.data.qpos[adr]
        level = (
            now.copy()
        )  # The last micrometres of sinking into the ground come to an end; what goes sideways may not.
        level[:, 2] = last[:, 2]
        if not _within(last, level, config.creep_m, config.creep_rad):
            return self._told(names, depth, start, now, ("an object creeps",))
        if self._deepest(names) > config.overlap_m:
            return self._told(names, depth, start, now, ("overlap at rest",))
        return self._told(names, depth, start, now, ())

    def _step(self, count: int) -> None:
        mujoco.mj_step(self.model, self.data, nstep=count)
        for kind in _BROKEN:
            if self.data.warning[kind].number:
                raise EngineError(f"{kind.name}: the state exploded", engine=self.name)

    def _deepest(self, names: Sequence[str]) -> float:
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_collision(self.model, self.data)
        if not self.data.ncon:
            return 0.0
        shown = np.zeros(self.model.nbody, dtype=bool)
        shown[[self._bodies[name] for name in names]] = True
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        depths = -self.data.contact.dist[shown[bodies].any(axis=1)]
        return max(float(depths.max(initial=0.0)), 0.0)

    def _told(self, names: list[str], depth: float, start: Array, end: Array, failures: tuple[str, ...]) -> Trial:
        rest = {
            name: rigid(rotation_from_quat_wxyz(row[3:] / np.linalg.norm(row[3:])), row[:3])
            for name, row in zip(names, end, strict=True)
        }
        way = float(np.linalg.norm(end[:, :3] - start[:, :3], axis=1).max(initial=0.0))
        return Trial(engine=self.name, depth_m=depth, settled_m=way, failures=failures, rest=rest)

    def _fill(self, name: str, stand: Stand, friction: float) -> None:
        model, variant, body = self.model, self._variants[stand.variant], self._bodies[name]
        rows = self._rows[name]
        if self._shown.get(name) != stand.variant:
            count = len(variant.geoms["geom_type"])
            for field in GEOM_FIELDS:
                getattr(model, field)[rows[:count]] = variant.geoms[field]
            model.geom_contype[rows] = np.arange(len(rows)) < count
            model.geom_conaffinity[rows] = np.arange(len(rows)) < count
            self._shown[name] = stand.variant
        model.geom_friction[rows, 0] = friction
        model.body_mass[body] = stand.mass_kg[0]
        model.body_inertia[body] = variant.moments * stand.mass_kg[0]
        model.body_iquat[body] = variant.axes
        model.body_ipos[body] = round_length(variant.center_m + np.array(stand.com_shift_m))

    def _set_joints(self, stand: Stand) -> None:
        for change in stand.joints:
            joint = self.model.joint(f"{stand.name}__{change.name}")
            joint.range[:] = change.lower, change.upper
            joint.damping[:], joint.frictionloss[:] = change.damping, change.friction

    def _empty(self, name: str) -> None:
        rows = self._rows[name]
        self.model.geom_contype[rows] = 0
        self.model.geom_conaffinity[rows] = 0
        self._shown.pop(name, None)

    def _relate(self, donor: Any, movable: Mapping[str, Variant]) -> None:
        """Find each slot's geoms and bodies, and the meshes as this model numbers them."""
        model = self.model
        self._bodies = {name: int(model.body(slot_name(name)).id) for name in self._names}
        self._rows = {name: np.flatnonzero(model.geom_bodyid == body) for name, body in self._bodies.items()}
        self._qpos = {name: int(model.jnt_qposadr[model.body_jntadr[body]]) for name, body in self._bodies.items()}
        meshes = {donor.mesh(index).name: index for index in range(donor.nmesh)}
        here = {meshes[model.mesh(index).name]: index for index in range(model.nmesh)}
        for key in movable:
            ids = self._variants[key].geoms["geom_dataid"]
            ids[:] = [here.get(int(index), -1) for index in ids]


def fits(library: Library) -> bool:
    """Tell whether a superset of a library has anything to show."""
    return bool(_movable(library))


def _movable(library: Library) -> dict[str, Variant]:
    """Return the rigid variants of what is free."""
    fixed = {one.asset.name for one in library.scene.objects if one.fixed}
    return {key: one for key, one in library.variants.items() if one.of not in fixed and len(one.asset.links) == 1}


def _most_pieces(movable: Mapping[str, Variant], of: str) -> int:
    return max((len(one.asset.links[0].pieces) for one in movable.values() if one.of == of), default=1)


def _changed(scene: Scene, cousin: Cousin) -> tuple[Structure, ...]:
    grounds = {ground.name: ground.friction for ground in cousin.grounds}
    return tuple(
        replace(
            one, friction=replace(one.friction, low=0.0, high=100.0, value=grounds.get(one.name, one.friction.value))
        )
        for one in scene.structures
    )


def _within(first: Array, second: Array, most_m: float | Array, most_rad: float | Array) -> bool:
    """Tell whether all rows of place and quaternion [n, 7] are nearer to each other than a length and an angle [n]."""
    if not np.all(np.isfinite(second)):
        return False
    ways = np.linalg.norm(second[:, :3] - first[:, :3], axis=1)
    sines = np.linalg.norm(_product_xyz(first[:, 3:], second[:, 3:]), axis=1)
    return bool(np.all(ways <= most_m) and np.all(2.0 * np.arcsin(np.minimum(sines, 1.0)) <= most_rad))


def _product_xyz(first: Array, second: Array) -> Array:
    """Return the vector part of the rotation from one quaternion wxyz [n, 4] to another."""
    w, v = first[:, :1], first[:, 1:]
    return np.asarray(w * second[:, 1:] - second[:, :1] * v - np.cross(v, second[:, 1:]))
