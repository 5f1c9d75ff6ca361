"""Where things stand: poses drawn anew under the twin's relations, tested on outlines of convex pieces.

What stands on structure is placed from above; what stands on or in another object goes along with it. Objects that
stand next to or against each other make a group. A group is first drawn member by member around each other, and if
that finds no place under all its relations, moved as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.vary.placement.footprints import Footprint, covers, distance_m, free
from cousins.vary.placement.layout_plan import GAP_M, Plan, Spot
from cousins.vary.recipes import Layout

TRIES: Final = 40
"""Most tries to place a group."""
REST_GAP_M: Final = 1e-5
"""Gap under what is put down [m]: that of the layout repair of a scan."""
CLOSE_GAP_M: Final = 0.0005
"""Gap that is kept between changed shapes of objects that stand closer than `GAP_M` in the twin [m]."""


def draw_layout(
    plan: Plan, variants: Mapping[str, str], ranges: Layout, amount: float, rng: np.random.Generator
) -> dict[str, Spot] | None:
    """Return where each object stands; None where no place was found.

    `variants` are keys by object for what shall stand there, `amount` is from 0 (as the twin) to 1.
    """
    placed: dict[str, Spot] = {}
    taken: dict[str, Footprint] = {}
    for group in plan.groups:
        members = [name for name in group if name in variants]
        found = _place_group(plan, members, variants, ranges, amount, rng, taken) if members else {}
        if found is None:
            return None
        for name, spot in found.items():
            placed[name] = spot
            taken[name] = plan.resting[variants[name]].at(spot)
    return placed


def place_on(
    plan: Plan, key: str, ground: str, taken: Mapping[str, Footprint], rng: np.random.Generator
) -> Spot | None:
    """Return a free place of a variant on a structure, near what stands there; None where there is none."""
    if not taken:
        return None
    centers = np.array([one.points.mean(axis=0) for one in taken.values()])
    for _ in range(TRIES):
        near = centers[rng.integers(len(centers))]
        x, y = near + rng.uniform(-0.3, 0.3, 2)
        spot = _down(plan, key, float(x), float(y), float(rng.uniform(-np.pi, np.pi)), ground)
        footprint = plan.resting[key].at(spot)
        if _stands(plan, footprint, ground) and all(free(footprint, other, gap_m=GAP_M) for other in taken.values()):
            return spot
    return None


def _place_group(
    plan: Plan,
    members: list[str],
    variants: Mapping[str, str],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
    taken: Mapping[str, Footprint],
) -> dict[str, Spot] | None:
    for attempt in range(TRIES):
        whole = len(members) == 1 or attempt >= TRIES // 2
        spots = _moved(plan, members, variants, ranges, amount, rng, whole=whole)
        shown: dict[str, Footprint] = {}
        for name, spot in spots.items():
            footprint = plan.resting[variants[name]].at(spot)
            at_home = name == variants[name] and spot == plan.spots[name]
            if not at_home and not _stands(plan, footprint, plan.carriers[name][1]):
                break
            if not _apart(plan, name, footprint, variants, {**taken, **shown}):
                break
            shown[name] = footprint
        else:
            if _tied(plan, shown):
                return spots
    return None


def _apart(
    plan: Plan,
    name: str,
    footprint: Footprint,
    variants: Mapping[str, str],
    others: Mapping[str, Footprint],
) -> bool:
    """Tell whether an object keeps clear of others; what moves as one with it, as in the twin, it need not."""
    for other, shape in others.items():
        close = other in plan.close[name]
        if close and variants[other] == other and variants[name] == name:
            continue
        if not free(footprint, shape, gap_m=CLOSE_GAP_M if close else GAP_M):
            return False
    return True


def _moved(
    plan: Plan,
    members: list[str],
    variants: Mapping[str, str],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
    *,
    whole: bool,
) -> dict[str, Spot]:
    """Return the members of a group after a common motion and their own ones."""
    center_x = sum(plan.spots[name].x_m for name in members) / len(members)
    center_y = sum(plan.spots[name].y_m for name in members) / len(members)
    along = next((plan.walls[name] for name in members if name in plan.walls), None)
    way = amount * ranges.shift_m.at(rng.uniform())
    heading = rng.uniform(-math.pi, math.pi)
    shift_x, shift_y = way * math.cos(heading), way * math.sin(heading)
    yaw = amount * ranges.yaw_rad.at(rng.uniform())
    if along is not None:
        shift_x, shift_y = ((np.array([shift_x, shift_y]) @ along) * along).tolist()
        yaw = 0.0
    c, s = math.cos(yaw), math.sin(yaw)
    found = {}
    for name in members:
        spot = plan.spots[name]
        own_x, own_y, turn = 0.0, 0.0, 0.0
        if len(members) > 1 and not plan.close[name] and name not in plan.walls:
            reach = amount * (1.0 if whole else 3.0)
            own_x, own_y = (reach * ranges.jitter_m.at(rng.uniform()) for _ in range(2))
            turn = amount * ranges.yaw_rad.at(rng.uniform())
        out_x, out_y = spot.x_m - center_x, spot.y_m - center_y
        x = spot.x_m + shift_x + own_x + (c - 1.0) * out_x - s * out_y
        y = spot.y_m + shift_y + own_y + s * out_x + (c - 1.0) * out_y
        found[name] = _down(plan, variants[name], x, y, spot.yaw_rad + yaw + turn, plan.carriers[name][1], twin=name)
    return found


def _down(plan: Plan, key: str, x: float, y: float, yaw: float, ground: str, *, twin: str = "") -> Spot:
    """Return the spot of a variant put down on a structure; the twin's own object keeps the twin's height."""
    if key == twin:
        return Spot(x_m=x, y_m=y, z_m=plan.spots[twin].z_m, yaw_rad=yaw)
    top = plan.grounds[ground].top_m
    return Spot(x_m=x, y_m=y, z_m=top - plan.resting[key].footprint.bottom_m + REST_GAP_M, yaw_rad=yaw)


def _stands(plan: Plan, footprint: Footprint, ground: str) -> bool:
    """Tell whether an object stands wholly on a structure, clear of other structures and of what is fixed."""
    if not covers(plan.grounds[ground], footprint):
        return False
    if any(not free(footprint, other, gap_m=0.0) for name, other in plan.grounds.items() if name != ground):
        return False
    return all(free(footprint, other, gap_m=GAP_M) for other in plan.obstacles)


def _tied(plan: Plan, shown: Mapping[str, Footprint]) -> bool:
    return all(
        distance_m(shown[tie.subject], shown[tie.object]) <= reach_m
        for tie, reach_m in plan.ties
        if tie.subject in shown and tie.object in shown
    )
