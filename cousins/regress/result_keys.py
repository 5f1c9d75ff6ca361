"""The content that a result follows from: results with equal keys are equal, so none of them is run twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cousins.codec import plain
from cousins.errors import PackError
from cousins.pack.packs import Pack
from cousins.pack.records.cousin_records import read_cousin, variants_of
from cousins.pack.records.numbers import as_pack_errors
from cousins.store import json_digest

NOT_SIMULATED: Final = frozenset(("split", "distances", "draw"))
"""Members of a cousin's record that no episode depends on."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What produced the results of a test, beside the cousins."""

    task: str
    """Task with its settings, as a digest."""
    policy: str
    """Policy with body, control and rate, as a digest."""
    engine: str
    """Name of the engine."""
    engine_version: str
    """Version of the engine."""
    code: str
    """Digest of the code that simulates."""
    cpu: str
    """Instruction sets of the CPU that change rounding, as a digest."""
    seed: int
    """Root of the starts' randomness."""

    @property
    def portable(self) -> str:
        """Digest of all but the CPU."""
        return json_digest({key: value for key, value in plain(self).items() if key != "cpu"})


def cousin_digest(pack: Pack, number: int) -> str:
    """Return the digest of a cousin's record, its assets and the surroundings that all cousins share."""
    page = pack.pages_of([number])[0]
    contents = pack.page_contents(page)
    with as_pack_errors():
        node = contents.cousins[number]
        variants = variants_of(read_cousin(node))
    missing = sorted(variants - set(contents.variants))
    if missing:
        raise PackError(f"no variant {missing[0][:80]!r}", expected="it in its page", hint="Pull the pack again.")
    content: dict[str, Any] = {
        "cousin": {key: value for key, value in node.value.items() if key not in NOT_SIMULATED},
        "assets": {key: contents.variants[key].record for key in sorted(variants)},
        "surroundings": pack.manifest.scene.record,
    }
    return json_digest(content)


def portable_key(cousin: str, provenance: Provenance, start: int) -> str:
    """Return the key of an episode's result on any CPU, given the digest of its cousin."""
    return json_digest({"cousin": cousin, "provenance": provenance.portable, "start": start})


def result_key(portable: str, provenance: Provenance) -> str:
    """Return the key of an episode's result on this CPU, whose states repeat bit by bit."""
    return json_digest({"portable": portable, "cpu": provenance.cpu})
