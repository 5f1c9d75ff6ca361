"""Estimate the up direction from depth, pictures and camera poses, with its uncertainty.

Every direction is a hypothesis. It is scored by how people hold cameras (level, upright or a quarter turn; looking
down a little), by the level surfaces that face it, and by straight edges along it. The best hypothesis is refined by
the same three cues, each with its error; where another one, far from it, is nearly as good, the estimate is unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cousins.capture.directions import fibonacci_sphere, tangents
from cousins.geometry import Array

ROLL_SIGMA_RAD = float(np.deg2rad(8.0))
"""Standard deviation of the roll with which people hold a camera [rad]."""
ROLL_OUTLIERS = 0.1
"""Share of pictures that are held anyhow."""
PITCH_MEAN_RAD, PITCH_SIGMA_RAD = float(np.deg2rad(-20.0)), float(np.deg2rad(25.0))
"""Mean and standard deviation of the elevation at which cameras look [rad]: down on things, seldom up."""
TURN_PRIORS_ORIENTED = (0.97, 0.01, 0.01, 0.01)
"""Probability that pictures are upright, turned by one, two and three quarters, where the metadata contain the
orientation: a phone that looks straight down does not know."""
TURN_PRIORS_UNKNOWN = (0.76, 0.11, 0.02, 0.11)
"""The same where it did not: stripped metadata leave pictures of an upright phone lying on their side."""
INDEPENDENT_VIEWS = 8.0
"""Most views that count as independent: one person holds the camera the same way from picture to picture."""
CONE_COSINE, NARROW_CONE_COSINE = float(np.cos(np.deg2rad(10.0))), float(np.cos(np.deg2rad(5.0)))
SURFACE_FLOOR = 0.03
"""Share of normals that lie along a direction by chance and by small things."""
MIN_SURFACE_SHARE = 0.03
"""Least share of normals that refines a direction."""
SURFACE_SIGMA_RAD = float(np.deg2rad(1.5))
"""Standard deviation of the slope of a wide level surface [rad], as a floor, a table or a reconstruction has it."""
WIDE_SURFACE_SHARE = 0.15
"""Share of normals of a wide surface; the slope of narrower ones, such as seats, is less certain in proportion."""
EDGE_SINE = float(np.sin(np.deg2rad(2.0)))
"""Sine of the angle within which an edge lies along a direction: the error of an edge pixel's direction."""
EDGE_FLOOR = 0.05
"""Share of edges that lie along a direction by chance and by small things."""
EDGE_SIGMA_RAD = float(np.deg2rad(1.0))
"""Standard deviation of the tilt of upright edges in common [rad], as measured on six recordings with gravity: legs of
furniture splay."""
MIN_EDGES, MIN_EDGE_EXCESS = 100, 1.5
"""Least number of edges along a direction that refine it, and least ratio to those expected by chance."""
CONFLICT_SIGMAS = 3.0
"""Two cues that differ by more contradict each other: seats lean, edges that converge are not upright."""
SEARCH_RAD = float(np.deg2rad(20.0))
"""Largest angle between a hypothesis and the surface or edges that refine it [rad]: hands are not level."""
DIFFERENT_RAD = float(np.deg2rad(25.0))
"""Hypotheses that differ by more are different ones [rad]."""
MIN_CERTAINTY = 0.9
"""Least probability of the best hypothesis of a sure estimate."""
UNSURE_SIGMA_RAD = float(np.deg2rad(8.0))
"""Largest standard deviation of a sure estimate [rad]."""

_COARSE_DIRECTIONS = 1200
"""Number of hypotheses on the sphere: about 6° apart."""
_REFINED_HYPOTHESES = 8
_FINE_DIRECTIONS = 12_000
"""Number of directions of a local search: about 2° apart."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UpView:
    """What one view knows about the way up."""

    world_from_camera: Array
    """Pose, OpenCV camera axes, float64 [4, 4]."""
    surface_normals: Array
    """Unit normals of visible surface, facing the camera, world frame, float64 [n, 3]."""
    edge_normals: Array
    """Unit normals of the planes through the camera and straight edges, world frame, float64 [m, 3]."""
    oriented: bool
    """True where the metadata contain how the camera was held, so that the picture is upright."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WayUp:
    """An estimated way up."""

    direction: Array
    """Unit vector against gravity, world frame, float64 [3]."""
    sigma_rad: float
    """Standard deviation of its tilt about a horizontal axis [rad]."""
    certainty: float
    """Probability of this hypothesis among those far from it, 0..1."""
    cues: tuple[str, ...]
    """Cues that determine it: `how the pictures were held`, `a level surface`, `upright edges`."""
    rival: Array | None
    """Best hypothesis far from it, unit vector [3]; None where there is none with a share."""

    @property
    def sure(self) -> bool:
        """Whether it can be relied on."""
        return self.certainty >= MIN_CERTAINTY and self.sigma_rad <= UNSURE_SIGMA_RAD


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Evidence:
    rotations: Array
    surfaces: Array
    edges: Array
    turn_priors: tuple[float, ...]


def estimate_way_up(views: Sequence[UpView]) -> WayUp:
    """Return the most probable way up of one or more views."""
    evidence = _Evidence(
        rotations=np.stack([view.world_from_camera[:3, :3] for view in views]),
        surfaces=np.concatenate([view.surface_normals for view in views]),
        edges=np.concatenate([view.edge_normals for view in views]),
        turn_priors=TURN_PRIORS_ORIENTED if all(view.oriented for view in views) else TURN_PRIORS_UNKNOWN,
    )
    coarse = fibonacci_sphere(_COARSE_DIRECTIONS)
    scores = _log_scores(coarse, evidence)
    hypotheses: list[Array] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(hypotheses) == _REFINED_HYPOTHESES:
            break
        if all(coarse[index] @ other < np.cos(DIFFERENT_RAD) for other in hypotheses):
            hypotheses.append(coarse[index])
    refined = [_refined(direction, evidence) for direction in hypotheses]
    directions = np.stack([direction for direction, _, _ in refined])
    logs = _log_scores(directions, evidence)
    best = int(np.argmax(logs))
    far = directions @ directions[best] < np.cos(DIFFERENT_RAD)
    certainty = float(np.exp(logs[best] - logsumexp(np.append(logs[far], logs[best]))))
    rival = directions[far][int(np.argmax(logs[far]))] if far.any() else None
    direction, sigma, cues = refined[best]
    return WayUp(direction=direction, sigma_rad=sigma, certainty=certainty, cues=cues, rival=rival)


def describe_way_up(way_up: WayUp, *, advice: str) -> str:
    """Return in a sentence what the way up was estimated from and how far off it may be; `advice` where unsure."""
    cues = way_up.cues
    from_cues = " and ".join([", ".join(cues[:-1]), cues[-1]] if len(cues) > 1 else cues)
    off_deg = 2.0 * float(np.rad2deg(way_up.sigma_rad))
    if way_up.sure:
        return f"The way up was estimated from {from_cues}: it may be {off_deg:.0f}° off."
    if way_up.certainty >= MIN_CERTAINTY or way_up.rival is None:
        return f"The way up is unsure, estimated from {from_cues}: it may be {off_deg:.0f}° off. {advice}"
    rival_deg = float(np.rad2deg(np.arccos(np.clip(way_up.rival @ way_up.direction, -1.0, 1.0))))
    return (
        f"The way up is unsure, estimated from {from_cues}: it is right with a probability of {way_up.certainty:.0%}, "
        f"and may be {rival_deg:.0f}° off. {advice}"
    )


def _log_scores(directions: Array, evidence: _Evidence) -> Array:
    """Return the log-likelihood [n] of each direction [n, 3] as the way up, up to a constant."""
    logs = _log_held(directions, evidence)
    if len(evidence.surfaces):
        shares = (evidence.surfaces @ directions.T > CONE_COSINE).mean(axis=0)
        logs = logs + np.log(shares + SURFACE_FLOOR)
    if len(evidence.edges):
        shares = (np.abs(evidence.edges @ directions.T) < EDGE_SINE).mean(axis=0)
        logs = logs + np.log(shares + EDGE_FLOOR)
    return logs


def _log_held(directions: Array, evidence: _Evidence) -> Array:
    """Return the log-likelihood [n] of how the cameras were held with respect to each direction [n, 3]."""
    local = np.einsum("vij,ni->vnj", evidence.rotations, directions)
    level = np.hypot(local[..., 0], local[..., 1])
    roll = np.arctan2(local[..., 0], -local[..., 1])
    sigma = np.minimum(ROLL_SIGMA_RAD / np.maximum(level, 1e-3), np.pi)
    turns = np.arange(4) * 0.5 * np.pi
    off = np.angle(np.exp(1j * (roll[None] - turns[:, None, None])))
    density = np.exp(-0.5 * (off / sigma) ** 2) / (np.sqrt(2.0 * np.pi) * sigma)
    likelihood = (1.0 - ROLL_OUTLIERS) * density + ROLL_OUTLIERS / (2.0 * np.pi)
    weight = min(1.0, INDEPENDENT_VIEWS / len(evidence.rotations))
    priors = np.array(evidence.turn_priors)
    same_turn = weight * np.log(likelihood).sum(axis=1) + np.log(priors)[:, None]
    mixed = weight * np.log(np.einsum("k,kvn->vn", priors, likelihood)).sum(axis=0)
    held = np.asarray(logsumexp(np.vstack([same_turn + np.log(0.9), mixed + np.log(0.1)]), axis=0))
    pitch = np.mean(np.arcsin(np.clip(local[..., 2], -1.0, 1.0)), axis=0)
    return held - 0.5 * ((pitch - PITCH_MEAN_RAD) / PITCH_SIGMA_RAD) ** 2


def _refined(direction: Array, evidence: _Evidence) -> tuple[Array, float, tuple[str, ...]]:
    """Return a direction refined by all cues near it, its standard deviation [rad], and the cues' names."""
    direction, information = _combined(direction, [], evidence)
    surface = _surface_direction(_peak(direction, evidence.surfaces, _faces), evidence.surfaces)
    edge = _edge_direction(_peak(direction, evidence.edges, _runs_along), evidence.edges)
    if edge is not None and surface is not None:
        conflict = float(np.arccos(np.clip(surface[0] @ edge[0], -1.0, 1.0)))
        if conflict > CONFLICT_SIGMAS * np.hypot(surface[1], edge[1]):
            surface, edge = (surface[0], max(surface[1], conflict)), (edge[0], max(edge[1], 0.5 * conflict))
    direction, information = _combined(direction, [cue for cue in (surface, edge) if cue is not None], evidence)
    cues = ["how the pictures were held"]
    cues += ["a level surface"] if surface is not None else []
    cues += ["upright edges"] if edge is not None else []
    return direction, float(np.linalg.eigvalsh(information)[0] ** -0.5), tuple(cues)


def _combined(direction: Array, cues: Sequence[tuple[Array, float]], evidence: _Evidence) -> tuple[Array, Array]:
    """Return the direction [3] that fits how cameras were held and `cues` (direction, error), and its information."""
    information = np.eye(2)
    for _ in range(4):
        frame = tangents(direction)
        information, vector = _held_information(direction, frame, evidence)
        for cue, sigma in cues:
            information = information + np.eye(2) / sigma**2
            vector = vector + frame @ cue / sigma**2
        direction = direction + np.linalg.solve(information, vector) @ frame
        direction = direction / np.linalg.norm(direction)
    return direction, information


def _faces(normals: Array, directions: Array) -> Array:
    """Return the share [n] of surface normals that lie along each direction [n, 3]."""
    return np.asarray((normals @ directions.T > NARROW_CONE_COSINE).mean(axis=0))


def _runs_along(normals: Array, directions: Array) -> Array:
    """Return the share [n] of edges that run along each direction [n, 3]."""
    return np.asarray((np.abs(normals @ directions.T) < EDGE_SINE).mean(axis=0))


def _peak(direction: Array, normals: Array, share: Callable[[Array, Array], Array]) -> Array:
    """Return the direction [3] near another with the largest share of normals, weighed by how near it is."""
    if not len(normals):
        return direction
    fine = fibonacci_sphere(_FINE_DIRECTIONS)
    fine = fine[fine @ direction > np.cos(SEARCH_RAD)]
    off = np.arccos(np.clip(fine @ direction, -1.0, 1.0))
    return np.asarray(fine[int(np.argmax(share(normals, fine) * np.exp(-0.5 * (2.0 * off / SEARCH_RAD) ** 2)))])


def _surface_direction(direction: Array, normals: Array) -> tuple[Array, float] | None:
    """Return the mean normal [3] of the level surface near a direction and its error [rad]; None without one."""
    share = 0.0
    for _ in range(3):
        near = normals[normals @ direction > NARROW_CONE_COSINE] if len(normals) else normals
        share = len(near) / max(len(normals), 1)
        if share < MIN_SURFACE_SHARE:
            return None
        direction = near.mean(axis=0) / np.linalg.norm(near.mean(axis=0))
    return direction, SURFACE_SIGMA_RAD * max(1.0, WIDE_SURFACE_SHARE / share)


def _edge_direction(direction: Array, normals: Array) -> tuple[Array, float] | None:
    """Return the vanishing direction [3] of edges near a direction and its error [rad]; None for too few."""
    for _ in range(3):
        near = normals[np.abs(normals @ direction) < EDGE_SINE] if len(normals) else normals
        if len(near) < max(MIN_EDGES, MIN_EDGE_EXCESS * EDGE_SINE * len(normals)):
            return None
        _, vectors = np.linalg.eigh(near.T @ near)
        direction = vectors[:, 0] * (np.sign(vectors[:, 0] @ direction) or 1.0)
    return direction, EDGE_SIGMA_RAD


def _held_information(direction: Array, frame: Array, evidence: _Evidence) -> tuple[Array, Array]:
    """Return the information [2, 2] on a direction in its tangent frame [2, 3] by how cameras were held, and the step.

    The image axis that lies level in most views should be perpendicular to the direction.
    """
    axes = evidence.rotations[:, :, :2]
    level = np.argmin(np.mean((direction @ axes) ** 2, axis=0))
    across = axes[:, :, level]
    weight = min(1.0, INDEPENDENT_VIEWS / len(across)) / ROLL_SIGMA_RAD**2
    local = across @ frame.T
    prior = np.eye(2) / np.deg2rad(45.0) ** 2
    return weight * local.T @ local + prior, -weight * local.T @ (across @ direction)
