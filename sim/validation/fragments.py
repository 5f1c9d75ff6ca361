"""Find fragments: objects of which too little was seen, so that what was reconstructed of them cannot stand.

The back of a chair above a table's edge, the front of a box whose sides no view shows: they stood when they were
filmed, on parts that are not known. As objects they would fall, or hang in the air, fixed in place; a twin keeps them
as surface. What was seen from all around and falls is no fragment: there the reconstruction is wrong, as the scene
reports.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.scene.layout.collision_bodies import CollisionBody, scene_bodies
from cousins.scene.scenes import Scene
from sim.validation.settle import SettleConfig, settle

MAX_FRAGMENT_SEEN: Final = 0.5
"""Share of its surface that was seen below which an object that cannot stand is a fragment. A thing that was filmed all
around has more, although nobody sees its underside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragments:
    """Objects that are to be kept as surface."""

    names: tuple[str, ...]
    """Their names, in the scene's order."""


def find_fragments(scene: Scene) -> Fragments:
    """Return the fragments of a scene that is not settled yet; raises `EngineError` where the simulation fails."""
    observed_share = {placed.asset.name: placed.asset.observed_fraction for placed in scene.objects if not placed.fixed}
    if all(share >= MAX_FRAGMENT_SEEN for share in observed_share.values()):
        return Fragments(names=())
    fallen = _fallen(scene)
    fragments = {name for name in fallen if observed_share.get(name, 1.0) < MAX_FRAGMENT_SEEN}
    # What falls may knock over what stood: that gets another try without the others, the best seen first.
    bodies = scene_bodies(scene)
    within_reach = [
        name for name in fragments if any(_reaches(bodies[other], bodies[name]) for other in fallen - {name})
    ]
    for name in sorted(within_reach, key=lambda name: (-observed_share[name], name)):
        removed = fragments - {name}
        if name not in _fallen(_without(scene, removed)):
            fragments = removed
    return Fragments(names=tuple(name for name in observed_share if name in fragments))


def _fallen(scene: Scene) -> set[str]:
    """Return the objects that fall when all are let go, in one engine; the whole twin is tried in all later."""
    return {rest.name for rest in settle(scene, config=SettleConfig(engines=())).rests if rest.fallen}


def _reaches(falling: CollisionBody, body: CollisionBody) -> bool:
    """Return whether a body is no farther from a falling one, on the level, than that is high."""
    gaps_m = np.maximum(falling.box.low - body.box.high, body.box.low - falling.box.high)[:2]
    return bool(np.linalg.norm(np.maximum(gaps_m, 0.0)) <= falling.box.high[2] - falling.box.low[2])


def _without(scene: Scene, names: Collection[str]) -> Scene:
    """Return the scene without some objects and their relations."""
    return replace(
        scene,
        objects=tuple(placed for placed in scene.objects if placed.asset.name not in names),
        relations=tuple(
            relation for relation in scene.relations if relation.subject not in names and relation.object not in names
        ),
    )
