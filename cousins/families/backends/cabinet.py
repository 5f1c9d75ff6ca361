"""Cabinets with one or two hinged doors and a shelf inside."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, door
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a bathroom cabinet to a sideboard, as sold."""

    length_m: Range = span(0.30, 1.0)
    """Extent along x [m]."""
    width_m: Range = span(0.25, 0.62)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.35, 1.2)
    """Extent along z [m]."""
    wall_m: Range = span(0.014, 0.02)
    """Thickness of a board [m]."""
    doors: Range = count(1, 2)
    """Number of doors."""
    left: Range = count(0, 1)
    """1 for the hinge of a single door on the left, 0 on the right."""
    opening_rad: Range = span(1.6, 2.0)
    """Largest opening angle of the doors [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="cabinet", label="cabinet", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    door_body = v["length_m"] / v["doors"]
    return 0.2 <= door_body <= 0.62 and door_body <= 1.6 * v["width_m"] and v["height_m"] <= 3.2 * v["width_m"]


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face = front + wall + FRONT_GAP_M
    body = AssemblyBody(
        name="body", parts=carcass((-x, x, face, v["width_m"] / 2, 0.0, high), wall, shelves=[high / 2])
    )
    door_bodies, joints = [], []
    edges = [-x, x] if round(v["doors"]) == 1 else [-x, 0.0, x]
    for number in range(len(edges) - 1):
        left = round(v["left"]) == 1 if len(edges) == 2 else number == 0
        door_body, joint = door(
            f"door_{number}",
            (
                edges[number] + FRONT_GAP_M / 2,
                edges[number + 1] - FRONT_GAP_M / 2,
                front,
                front + wall,
                FRONT_GAP_M,
                high,
            ),
            side="left" if left else "right",
            opening_rad=v["opening_rad"],
            material_indices=(1, 2),
        )
        door_bodies.append(door_body)
        joints.append(joint)
    materials = (
        PartMaterial(material="wood", finish="wood"),
        PartMaterial(material="wood", finish="paint"),
        PartMaterial(material="metal", finish="metal"),
    )
    return Assembly(bodies=(body, *door_bodies), materials=materials, joints=joints)
