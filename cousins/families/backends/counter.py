"""Kitchen counters: drawers and a door under a worktop, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, AssemblyJoint, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, door, drawer, slab
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base units 600 mm deep under a worktop at 850 to 950 mm (EN 1116)."""

    length_m: Range = span(0.8, 1.8)
    """Extent along x [m]."""
    width_m: Range = span(0.56, 0.72)
    """y with handles, the front at -y [m]."""
    height_m: Range = span(0.80, 1.0)
    """Extent along z [m]."""
    top_m: Range = span(0.025, 0.045)
    """Thickness of the worktop [m]."""
    drawers: Range = count(2, 4)
    """Drawers at the left."""
    split: Range = span(0.42, 0.58)
    """Width of the drawers over that of the whole object."""
    wall_m: Range = span(0.016, 0.02)
    """Thickness of a board [m]."""
    opening_rad: Range = span(1.6, 1.9)
    """Largest opening angle of the door [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="counter",
        label="kitchen counter",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: v["length_m"] * (1.0 - v["split"]) <= 0.95,
    )


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"] - v["top_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    cut = -x + v["split"] * v["length_m"]
    parts = carcass((-x, x, face, back, 0.0, high + 0.001), wall)
    parts.append(slab((cut - wall / 2, cut + wall / 2, face, back - wall / 2, wall / 2, high - wall / 2)))
    parts.append(slab((-x, x, front + wall / 2, back, high, v["height_m"]), material_index=3))
    bodies, joints = _drawers(v, (-x, cut, face, back, front), high)
    door_body, joint = door(
        "door",
        (cut + FRONT_GAP_M / 2, x, front, front + wall, FRONT_GAP_M, high - FRONT_GAP_M),
        side="right",
        opening_rad=v["opening_rad"],
        material_indices=(1, 2),
    )
    materials = (
        PartMaterial(material="wood", finish="paint"),
        PartMaterial(material="wood", finish="paint"),
        PartMaterial(material="metal", finish="metal"),
        PartMaterial(material="wood", finish="wood"),
    )
    return Assembly(
        bodies=(AssemblyBody(name="body", parts=parts), *bodies, door_body),
        materials=materials,
        joints=(*joints, joint),
    )


def _drawers(
    v: Parameters, place: tuple[float, float, float, float, float], high: float
) -> tuple[list[AssemblyBody], list[AssemblyJoint]]:
    """Return the bodies and joints of the drawers; `place` is left x, right x, face y, back y and front y [m]."""
    left, right, face, back, front = place
    wall, number = v["wall_m"], round(v["drawers"])
    step = (high - 2.0 * wall) / number
    bodies, joints = [], []
    for index in range(number):
        low = wall + index * step
        foot = FRONT_GAP_M if index == 0 else low + FRONT_GAP_M / 2
        head = high - FRONT_GAP_M if index == number - 1 else low + step - FRONT_GAP_M / 2
        box, slide = drawer(
            f"drawer_{index}",
            (left, right - FRONT_GAP_M / 2, front, front + wall, foot, head),
            (left + wall, right - wall / 2, face, back - wall, low, low + step),
            wall_m=0.012,
            material_indices=(1, 2),
            travel=0.75,
        )
        bodies.append(box)
        joints.append(slide)
    return bodies, joints
