"""Recognise the hand of a robot by its geometry: fingers, their direction of opening, and the tip between them.

Fingers are joints without joints below them that move links of one palm towards each other; or a single jaw, named as
one, that closes on the palm. A joint that closes as it grows is reported, so that it can be turned around. The tip is
the frame named as such (`tip`, `tcp`, `grasp…`, `attachment_site`, `tool0`), else the middle between the finger pads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.distance import cdist

from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.reconstruct.assets import Joint, Link
from sim.bodies.files.robot_model import RobotModel, robot_error

TIP_NAMES: Final = re.compile(
    r"(^|[_/-])(tip|tcp|tool0|tool_?frame|grasp\w*|gripper_?frame(_link)?|pinch|end_effector|attachment_site)$", re.I
)
"""Names of links and sites that are tips, best match by order of the file."""
JAW_NAMES: Final = re.compile(r"grip|finger|jaw|claw|thumb", re.I)
"""Names of single joints or links that are jaws."""
OPPOSED_COSINE: Final = -0.5
"""Fingers move towards each other if the cosine between their directions is below this."""
SNAP_COSINE: Final = float(np.cos(np.deg2rad(20.0)))
"""An approach direction this near to an axis of the palm is that axis; a named frame this near to it is kept as is."""
OPENING_START: Final = 0.05
"""Share of a jaw's range over which its direction of opening is taken."""
PAD_DEPTH_M: Final = 0.01
"""From the ends of the fingers to the middle of their pads [m]."""
MIN_JAW_CHANGE_M: Final = 0.01
"""A jaw changes its distance to the palm by at least this over its range [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hand:
    """What was recognised at the end of an arm."""

    arm: tuple[str, ...]
    """Joints from the base to the tip, in order."""
    fingers: tuple[str, ...]
    """Joints that open the hand; empty without one."""
    reversed: frozenset[str]
    """Those of them that close the hand as they grow."""
    tip: str
    """Moving link that the tip sits on."""
    link_from_tip: Array
    """Pose of the tip in that link: z points out of the hand, y from finger to finger, [4, 4]."""


def recognise_hand(model: RobotModel, path: Path, *, tip: str | None = None) -> Hand:
    """Return fingers and tip of a robot; `tip` names the link or site of the tip. Raises `CaptureError`."""
    if tip is not None and tip not in model.frames:
        hint = "Name one of its links or sites."
        raise robot_error(path, f"no link or site {tip!r}", expected="the tip's", hint=hint, names=model.frames)
    palm, candidates = _palm(model, path)
    fingers = _fingers(model, palm, candidates, path)
    arm = _joints_to(model, palm)
    if not arm:
        raise robot_error(path, "no joint before the hand", expected="an arm", hint="Give the robot's whole file.")
    names = tuple(finger.joint.name for finger in fingers)
    link_from_tip = _tip(model, palm, fingers, path, tip)
    closing = frozenset(finger.joint.name for finger in fingers if finger.closes)
    return Hand(arm=arm, fingers=names, reversed=closing, tip=palm, link_from_tip=link_from_tip)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Finger:
    joint: Joint
    points: Array
    closes: bool
    direction: Array

    def corners_at(self, value: float) -> Array:
        """Return the corners of the finger in the palm's frame [n, 3] at a joint position."""
        return transform(self.joint.parent_from_child @ _motion(self.joint, value), self.points)

    @property
    def opened(self) -> Array:
        return self.corners_at(self.joint.lower if self.closes else self.joint.upper)

    @property
    def closed(self) -> Array:
        return self.corners_at(self.joint.upper if self.closes else self.joint.lower)


def _motion(joint: Joint, value: float) -> Array:
    """Return the motion [4, 4] of a joint's child at a position [m] or [rad]."""
    if joint.kind == "prismatic":
        return rigid(translation=joint.axis * value)
    return rigid(rotation_about(joint.axis, value))


def _palm(model: RobotModel, path: Path) -> tuple[str, list[Joint]]:
    """Return the link that carries the fingers, and the joints that may be fingers."""
    parents = {joint.parent for joint in model.joints}
    leaves = [joint for joint in model.joints if joint.child not in parents]
    if not leaves:
        raise robot_error(path, "no joint that moves", expected="an arm", hint="Give the file of a robot.")
    palms = list(dict.fromkeys(joint.parent for joint in leaves))
    if len(palms) > 1:
        problem = f"{len(leaves)} chains that end in {', '.join(joint.child for joint in leaves)[:120]}"
        expected = "one arm with at most one hand, whose fingers have one joint each"
        raise robot_error(path, problem, expected=expected, hint="Give one arm; fix the further joints of its fingers.")
    if len(leaves) > 1:
        return palms[0], leaves
    leaf = leaves[0]
    named = JAW_NAMES.search(leaf.name) or JAW_NAMES.search(leaf.child)
    return (palms[0], leaves) if named and _points(model, leaf.parent).size else (leaf.child, [])


def _fingers(model: RobotModel, palm: str, candidates: Sequence[Joint], path: Path) -> list[_Finger]:
    """Return fingers with their direction of opening; raises `CaptureError` for links that do not close on another."""
    points = {joint.name: _points(model, joint.child) for joint in candidates}
    bare = [joint.child for joint in candidates if not points[joint.name].size]
    if bare:
        problem = f"fingers {', '.join(bare)[:120]} without a shape that touches"
        raise robot_error(path, problem, expected="collision shapes", hint="Give them collision geometry.")
    if len(candidates) == 1:
        return [_jaw(model, palm, candidates[0], points[candidates[0].name], path)]
    middles, velocities = {}, {}
    for joint in candidates:
        before, after = (
            transform(joint.parent_from_child @ _motion(joint, value), points[joint.name]).mean(axis=0)
            for value in (joint.lower, joint.upper)
        )
        middles[joint.name], velocities[joint.name] = 0.5 * (before + after), after - before
    fingers = []
    for joint in candidates:
        opposite = [other.name for other in candidates if other is not joint]
        direction = middles[joint.name] - np.mean([middles[name] for name in opposite], axis=0)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
        speed = float(velocities[joint.name] @ direction)
        opening = velocities[joint.name] * np.sign(speed)
        opposed = [_cosine(opening, velocities[name] * _sign(velocities[name], -direction)) for name in opposite]
        if min(opposed) > OPPOSED_COSINE or abs(speed) < 1e-4:
            problem = f"a joint {joint.name!r} beside others of {palm!r} that does not close on them"
            hint = "Fix joints that are no fingers."
            raise robot_error(path, problem, expected="fingers that move towards each other", hint=hint)
        corners = points[joint.name]
        if joint.kind == "prismatic":
            direction = np.sign(speed) * (joint.parent_from_child[:3, :3] @ joint.axis)
        fingers.append(_Finger(joint=joint, points=corners, closes=speed < 0.0, direction=direction))
    return fingers


def _jaw(model: RobotModel, palm: str, joint: Joint, points: Array, path: Path) -> _Finger:
    """Return the jaw that closes on its palm, by the distance of its far half to the palm at both limits."""
    body = _points(model, palm)
    lever = points - np.outer(points @ joint.axis, joint.axis) if joint.kind == "revolute" else points
    far = np.linalg.norm(lever, axis=1)
    distal = points[far >= 0.5 * far.max()]
    gaps = []
    for value in (joint.lower, joint.upper):
        moved = transform(joint.parent_from_child @ _motion(joint, value), distal)
        gaps.append(float(cdist(moved, body).min(axis=1).mean()))
    if abs(gaps[1] - gaps[0]) < MIN_JAW_CHANGE_M:
        problem = f"a joint {joint.name!r} that does not close on {palm!r}"
        raise robot_error(path, problem, expected="a jaw", hint="Rename it if it is no finger.")
    shut, wide = (joint.lower, joint.upper) if gaps[1] > gaps[0] else (joint.upper, joint.lower)
    begin = (shut, shut + OPENING_START * (wide - shut))
    middles = [transform(joint.parent_from_child @ _motion(joint, q), distal).mean(axis=0) for q in begin]
    direction = (middles[1] - middles[0]) / max(float(np.linalg.norm(middles[1] - middles[0])), 1e-9)
    return _Finger(joint=joint, points=points, closes=gaps[1] < gaps[0], direction=direction)


def _tip(model: RobotModel, palm: str, fingers: Sequence[_Finger], path: Path, name: str | None) -> Array:
    """Return the tip's pose in the palm's frame [4, 4]: of a named frame, else between the pads of the fingers."""
    named = [name] if name is not None else [frame for frame in model.frames if TIP_NAMES.search(frame)]
    for frame in named:
        owner, pose = model.frames[frame]
        if owner == palm:
            return _oriented(pose, fingers)
        if name is not None:
            hint = f"Name a link or site that moves with {palm!r}."
            raise robot_error(path, f"a tip {name!r} that is not on the hand", expected="one that is", hint=hint)
    if not fingers:
        choices = [frame for frame, (owner, _) in model.frames.items() if owner == palm]
        expected = "fingers, or a link or site named `tip`, `tcp`, `grasp…`, `tool0` or `attachment_site`"
        hint = f"Type `{path.name}#LINK`."
        raise robot_error(path, "no tip that is recognised", expected=expected, hint=hint, names=choices)
    return _between_pads(fingers)


def _between_pads(fingers: Sequence[_Finger]) -> Array:
    """Return the pose [4, 4] between the ends of the fingers: z out of the hand, y from finger to finger."""
    across = fingers[0].direction
    centre = np.mean([finger.closed.mean(axis=0) for finger in fingers], axis=0)
    out = _snapped(_perpendicular(centre, across))
    ends = np.array([float((finger.closed @ out).max()) for finger in fingers])
    position = centre + (ends.min() - PAD_DEPTH_M - centre @ out) * out
    return rigid(_axes(out, across), position)


def _oriented(pose: Array, fingers: Sequence[_Finger]) -> Array:
    """Return a named frame's pose [4, 4]; turned so that z points out of the hand where it does not yet."""
    if not fingers:
        return pose
    out = _snapped(_perpendicular(pose[:3, 3], fingers[0].direction))
    if float(pose[:3, 2] @ out) >= SNAP_COSINE:
        return pose
    return rigid(_axes(out, fingers[0].direction), pose[:3, 3])


def _perpendicular(vector: Array, across: Array) -> Array:
    """Return the unit direction [3] of a vector [3] without its part along a unit direction [3]."""
    rest = vector - (vector @ across) * across
    return np.asarray(rest / max(float(np.linalg.norm(rest)), 1e-9))


def _snapped(direction: Array) -> Array:
    """Return the nearest axis of the frame, positive or negative, where a unit direction [3] is near to one."""
    number = int(np.abs(direction).argmax())
    if abs(direction[number]) < SNAP_COSINE:
        return direction
    return np.asarray(np.sign(direction[number]) * np.eye(3)[number])


def _axes(out: Array, across: Array) -> Array:
    """Return the rotation [3, 3] whose z is a unit direction [3] and whose y is nearest to another [3]."""
    y = _perpendicular(across, out)
    return np.stack([np.cross(y, out), y, out], axis=1)


def _points(model: RobotModel, name: str) -> Array:
    """Return the corners of a link's pieces in its frame [n, 3]; empty for none."""
    link: Link = next(link for link in model.links if link.name == name)
    corners = [piece.mesh.vertices for piece in link.pieces]
    return np.concatenate(corners) if corners else np.zeros((0, 3))


def _joints_to(model: RobotModel, name: str) -> tuple[str, ...]:
    """Return the joints from the root to a link, in order."""
    above = {joint.child: joint for joint in model.joints}
    chain: list[str] = []
    while name in above:
        chain.insert(0, above[name].name)
        name = above[name].parent
    return tuple(chain)


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _sign(velocity: Array, direction: Array) -> float:
    return float(np.sign(velocity @ direction)) or 1.0
