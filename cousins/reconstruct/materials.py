"""Materials: density, friction and restitution as intervals, chosen by the words of a label.

Densities of solids: CRC Handbook of Chemistry and Physics and the Engineering ToolBox tables, widened to
cover the common grades. Friction is against a dry wooden or laminate table top, restitution against
the same; both are wide because surfaces in homes are. A scanned volume is an outer volume: packed and
filled goods therefore carry the *effective* density of the whole thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cousins.quantities import Quantity, QuantitySource

LARGE_OBJECT_M = 0.35
"""From this longest side on, an unnamed object is taken for furniture: frames and padding, mostly air [m]."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Density, friction and restitution of a material."""

    name: str
    """Key of the table."""
    density_kg_m3: Quantity
    """Mass by outer volume."""
    friction: Quantity
    """Coulomb friction coefficient on a table top."""
    restitution: Quantity
    """Coefficient of restitution on a table top."""


def _material(
    name: str,
    density: tuple[float, float, float],
    friction: tuple[float, float, float],
    restitution: tuple[float, float, float],
    *,
    source: QuantitySource = "material table",
) -> Material:
    quantities = [
        Quantity(low=low, value=value, high=high, source=source)
        for low, value, high in (density, friction, restitution)
    ]
    return Material(name=name, density_kg_m3=quantities[0], friction=quantities[1], restitution=quantities[2])


_ROWS = (
    _material("ceramic", (1900, 2300, 2600), (0.3, 0.45, 0.6), (0.2, 0.4, 0.6)),
    _material("glass", (2400, 2500, 2600), (0.2, 0.35, 0.5), (0.3, 0.5, 0.7)),
    _material("metal", (2600, 5000, 8000), (0.2, 0.35, 0.55), (0.2, 0.4, 0.6)),
    _material("wood", (400, 600, 850), (0.3, 0.45, 0.6), (0.2, 0.35, 0.5)),
    _material("plastic", (200, 600, 1200), (0.2, 0.35, 0.5), (0.2, 0.4, 0.6)),
    _material("rubber", (900, 1150, 1500), (0.6, 0.8, 1.0), (0.4, 0.6, 0.8)),
    _material("fabric", (50, 150, 350), (0.4, 0.6, 0.9), (0.0, 0.1, 0.2)),
    _material("paper", (400, 700, 900), (0.25, 0.4, 0.6), (0.05, 0.15, 0.3)),
    _material("carton", (80, 250, 700), (0.25, 0.4, 0.6), (0.05, 0.2, 0.35)),
    _material("filled container", (700, 1000, 1300), (0.2, 0.4, 0.6), (0.1, 0.3, 0.5)),
    _material("footwear", (100, 250, 450), (0.5, 0.7, 0.9), (0.1, 0.3, 0.5)),
    _material("furniture", (60, 200, 600), (0.25, 0.45, 0.7), (0.05, 0.2, 0.4)),
    _material("unknown", (80, 400, 1200), (0.2, 0.45, 0.8), (0.05, 0.3, 0.6), source="default"),
    _material("unknown large", (60, 250, 700), (0.2, 0.45, 0.8), (0.05, 0.2, 0.5), source="default"),
)

MATERIALS: dict[str, Material] = {row.name: row for row in _ROWS}
"""The material table by name."""

_MATERIAL_WORDS: dict[str, str] = {
    "porcelain": "ceramic",
    "steel": "metal",
    "iron": "metal",
    "brass": "metal",
    "aluminium": "metal",
    "aluminum": "metal",
    "wooden": "wood",
    "cardboard": "carton",
    "plush": "fabric",
    "leather": "fabric",
}
"""Words that name the material itself, beside the names of the table."""

_OBJECT_WORDS: dict[str, tuple[str, ...]] = {
    "ceramic": ("mug", "plate", "saucer", "teapot", "vase"),
    "glass": ("jar",),
    "metal": ("fork", "knife", "spoon", "hammer", "pan", "pot"),
    "plastic": ("toy", "screwdriver", "remote", "mouse", "keyboard"),
    "rubber": ("ball",),
    "fabric": ("pillow", "cushion", "towel", "bag"),
    "paper": ("book", "magazine", "notebook"),
    "carton": ("cereal", "package"),
    "filled container": ("can", "tin", "bottle", "milk", "soup", "juice"),
    "footwear": ("shoe", "boot", "sandal", "sneaker", "slipper"),
    "furniture": ("chair", "stool", "table", "desk", "sofa", "cabinet", "shelf", "bench"),
}
"""Words that name a kind of object that is mostly made of one material."""


def material_for(label: str, *, longest_side_m: float) -> Material:
    """Return the material that matches the words of a label: material words first, then object words, last word first.

    A label without a known word gives `unknown`, or `unknown large` for an object of furniture size; both have the
    source `default`.
    """
    words = re.findall(r"[a-z]+", label.lower())
    for word in words:
        matter = _MATERIAL_WORDS.get(word, word)
        if matter in MATERIALS and matter != "unknown":
            return MATERIALS[matter]
    for word in reversed(words):
        for name, kinds in _OBJECT_WORDS.items():
            if word in kinds:
                return MATERIALS[name]
    return MATERIALS["unknown large" if longest_side_m >= LARGE_OBJECT_M else "unknown"]
