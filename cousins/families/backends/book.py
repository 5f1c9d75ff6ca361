"""Books that lie flat, with covers that stand out over the pages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, union


@dataclass(frozen=True, kw_only=True)
class Config:
    """Formats from A6 to A4 (ISO 216) and 8 to 60 mm thick."""

    length_m: Range = span(0.14, 0.31)
    """Along the spine, x [m]."""
    width_m: Range = span(0.10, 0.24)
    """Across it, y [m]."""
    height_m: Range = span(0.008, 0.06)
    """Thickness, z [m]."""
    cover_m: Range = span(0.0012, 0.003)
    """Thickness of a cover [m]."""
    overhang_m: Range = span(0.001, 0.004)
    """Overhang of the covers over the pages [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="book", label="book", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    return 0.6 <= v["width_m"] / v["length_m"] <= 1.0 and v["height_m"] > 3.0 * v["cover_m"]


def _assemble(v: Parameters) -> Assembly:
    x, y, z, cover, out = (v[key] for key in ("length_m", "width_m", "height_m", "cover_m", "overhang_m"))
    boards = [
        block((x, y, cover), (0.0, 0.0, side * (z - cover) / 2), material_index=1, stretch_texture=True)
        for side in (-1, 1)
    ]
    spine = block((x, cover, z), (0.0, (cover - y) / 2, 0.0), material_index=1)
    pages = block(
        (x - 2 * out, y - out - cover + 4e-4, z - 2 * cover + 4e-4), (0.0, (cover - out) / 2, 0.0), material_index=0
    )
    envelope = block((x, y, z), (0.0, 0.0, 0.0))
    return single_body(
        [replace(pages, pieces=envelope.pieces), union([*boards, spine]).without_pieces()],
        PartMaterial(material="paper", finish="pages"),
        PartMaterial(material="paper", finish="plastic"),
    )
