"""Find fragments: objects of which too little was seen, so that what was reconstructed of them cannot stand.

The back of a chair above a table's edge, the front of a box whose sides no view shows: they stood when they were
filmed, on parts that are not known. As objects they would fall, or hang in the air, fixed in place; a twin keeps them
as surface. What was seen from all around and falls is no fragment: there the reconstruction is wrong, as the scene
reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cousins.scene.scenes import Scene
from sim.physics.installed import require_engines
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
    first = require_engines()[:1]
    settled = settle(scene, config=replace(SettleConfig(), engines=tuple(first)))
    fallen = {rest.name for rest in settled.rests if rest.fallen}
    return Fragments(
        names=tuple(name for name in observed_share if name in fallen and observed_share[name] < MAX_FRAGMENT_SEEN)
    )
