"""A source of worlds for cousins that are in no page of a pack: hybrids of the twin and a cousin."""

from __future__ import annotations

from collections.abc import Mapping

from cousins.affordances import Signature
from cousins.scene.scenes import Scene
from cousins.store import json_digest
from cousins.vary.cousins import Cousin, Library, Variant, build_scene


class HybridSource:
    """Cousins by number over some variants and the surroundings of a pack; the `CousinSource` protocol."""

    def __init__(self, cousins: Mapping[int, Cousin], library: Library, *, records: Mapping[int, object]) -> None:
        """Take the cousins, and `records`: the same as JSON values, which the digest follows from."""
        self._cousins, self._library = cousins, library
        self.digest = json_digest({str(number): record for number, record in records.items()})

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters."""
        return self._cousins[index]

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin, without its looks."""
        return build_scene(self._cousins[index], self._library, looks=False)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object of a cousin affords, by name."""
        variants: Mapping[str, Variant] = self._library.variants
        return {instance.name: variants[instance.variant].signature for instance in self._cousins[index].objects}
