"""Contents of `scene.json`: a scene without its meshes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from cousins.capture.captures import Scale
from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import format_number, round_length
from cousins.scene.io.look_json import look_record, read_look
from cousins.scene.io.paths import require_safe_name, require_scene_names
from cousins.scene.io.relation_json import read_relation, relation_record, require_known_relations
from cousins.scene.io.strict_json import Node, parse
from cousins.scene.scenes import PlacedAsset, Scene, Structure

FORMAT_VERSION: Final = 1
"""Version of the format; other versions are refused."""
ROTATION_DIGITS: Final = 9
"""Decimals of a rotation matrix; rounding twice changes nothing, unlike with quaternions."""
MAX_MASS_KG: Final = 1e6
"""Heaviest link that is read."""

MeshReader = Callable[[str, str, int | None], Mesh]
"""Returns a mesh by asset (empty for a structure), link or structure, and piece index (None for the visual mesh)."""


def scene_bytes(scene: Scene) -> bytes:
    """Return a scene without its meshes as JSON text with sorted keys and rounded numbers."""
    record: dict[str, Any] = {
        "format": "cousins scene",
        "version": FORMAT_VERSION,
        "name": scene.name,
        "structures": [structure_record(structure) for structure in scene.structures],
        "objects": [
            {
                "asset": asset_record(placed.asset),
                "world_from_asset": _pose(placed.world_from_asset),
                "fixed": placed.fixed,
            }
            for placed in scene.objects
        ],
        "relations": [relation_record(relation) for relation in scene.relations],
        "scale": {"source": scene.scale.source, "error": rounded_number(scene.scale.error)},
        "capture_digest": scene.capture_digest,
        "warnings": list(scene.warnings),
        "fallbacks": list(scene.fallbacks),
    }
    if scene.look is not None:
        record["look"] = look_record(scene.look)
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def read_scene_json(data: bytes, read_mesh: MeshReader) -> Scene:
    """Return the scene of `scene.json` and its meshes; raises `SceneError` where the text is invalid."""
    node = parse(data, source="scene.json")
    node["format"].choice("cousins scene")
    _require_version(node)
    scene = Scene(
        name=require_safe_name(node["name"].text(), kind="scene"),
        structures=tuple(read_structure(item, read_mesh) for item in node["structures"].items()),
        objects=tuple(
            PlacedAsset(
                asset=read_asset(item["asset"], read_mesh),
                world_from_asset=_read_pose(item["world_from_asset"]),
                fixed=item["fixed"].flag(),
            )
            for item in node["objects"].items()
        ),
        relations=tuple(read_relation(item) for item in node["relations"].items()),
        scale=Scale(source=node["scale"]["source"].text(), error=node["scale"]["error"].number(low=0.0)),
        capture_digest=node["capture_digest"].text(),
        warnings=node["warnings"].texts(),
        fallbacks=node["fallbacks"].texts(),
        look=read_look(node["look"]) if node.has("look") else None,
    )
    require_scene_names(scene)
    require_known_relations(scene)
    for placed in scene.objects:
        joints_in_order(placed.asset)
    return scene


def _require_version(node: Node) -> None:
    if node["version"].value != FORMAT_VERSION:
        raise SceneError(
            f"a scene of schema version {json.dumps(node['version'].value)[:20]}",
            expected=f"version {FORMAT_VERSION}",
            hint="Type `pip install -U cousins`, or make it again: `cousins scan CAPTURE -o SCENE`.",
        )


def structure_record(structure: Structure) -> dict[str, Any]:
    """Return a structure without its meshes, as JSON values."""
    return {
        "name": structure.name,
        "kind": structure.kind,
        "pieces": [_piece(piece) for piece in structure.pieces],
        "friction": _quantity(structure.friction),
        "restitution": _quantity(structure.restitution),
    }


def asset_record(asset: Asset) -> dict[str, Any]:
    """Return an asset without its meshes, as JSON values."""
    return {
        "name": asset.name,
        "label": asset.label,
        "label_source": asset.label_source,
        "label_score": None if asset.label_score is None else rounded_number(asset.label_score),
        "links": [_link(link) for link in asset.links],
        "joints": [_joint(joint) for joint in asset.joints],
        "friction": _quantity(asset.friction),
        "restitution": _quantity(asset.restitution),
        "material": asset.material,
        "size_m": round_length(asset.size_m).tolist(),
        "observed_area_m2": rounded_number(asset.observed_area_m2),
        "completed_area_m2": rounded_number(asset.completed_area_m2),
        "completions": list(asset.completions),
        "fallbacks": list(asset.fallbacks),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "name": link.name,
        "pieces": [_piece(piece) for piece in link.pieces],
        "mass_kg": _quantity(link.mass_kg),
        "center_of_mass_m": round_length(link.center_of_mass_m).tolist(),
        "inertia_kg_m2": [[rounded_number(value) for value in row] for row in link.inertia_kg_m2.tolist()],
    }


def _joint(joint: Joint) -> dict[str, Any]:
    return {
        "name": joint.name,
        "kind": joint.kind,
        "parent": joint.parent,
        "child": joint.child,
        "parent_from_child": _pose(joint.parent_from_child),
        "axis": (np.round(joint.axis, ROTATION_DIGITS) + 0.0).tolist(),
        "lower": rounded_number(joint.lower),
        "upper": rounded_number(joint.upper),
        "damping": rounded_number(joint.damping),
        "friction": rounded_number(joint.friction),
    }


def _piece(piece: Piece) -> dict[str, Any]:
    return {
        "kind": piece.kind,
        "link_from_piece": _pose(piece.link_from_piece),
        "size_m": round_length(piece.size_m).tolist(),
    }


def _quantity(quantity: Quantity) -> dict[str, Any]:
    value, low, high = (rounded_number(item) for item in (quantity.value, quantity.low, quantity.high))
    return {"value": value, "low": min(low, value), "high": max(high, value), "source": quantity.source}


def _pose(pose: Array) -> list[list[float]]:
    rounded = np.round(np.asarray(pose, dtype=np.float64), ROTATION_DIGITS) + 0.0
    rounded[:3, 3] = round_length(pose[:3, 3])
    return rounded.tolist()


def rounded_number(value: float) -> float:
    """Return a value rounded to nine significant digits, as it is read back."""
    return float(format_number(value))


def read_structure(node: Node, read_mesh: MeshReader) -> Structure:
    """Return the structure of a JSON value; raises `SceneError` where it is invalid."""
    name = require_safe_name(node["name"].text(), kind="structure")
    return Structure(
        name=name,
        kind=node["kind"].choice("floor", "table", "wall", "ceiling", "remainder"),
        visual=read_mesh("", name, None),
        pieces=_read_pieces(node["pieces"], read_mesh, "", name),
        friction=_read_quantity(node["friction"]),
        restitution=_read_quantity(node["restitution"]),
    )


def read_asset(node: Node, read_mesh: MeshReader) -> Asset:
    """Return the asset of a JSON value; raises `SceneError` where it is invalid."""
    name = require_safe_name(node["name"].text(), kind="asset")
    links = tuple(_read_link(item, read_mesh, name) for item in node["links"].items())
    if not links:
        raise node["links"].error("at least one link")
    return Asset(
        name=name,
        label=node["label"].text(),
        label_source=node["label_source"].text() if node.has("label_source") else "geometry",
        label_score=node["label_score"].number(low=0.0, high=1.0) if node.has("label_score") else None,
        links=links,
        joints=tuple(_read_joint(item) for item in node["joints"].items()),
        friction=_read_quantity(node["friction"]),
        restitution=_read_quantity(node["restitution"]),
        material=node["material"].text(),
        size_m=node["size_m"].array(3),
        observed_area_m2=node["observed_area_m2"].number(low=0.0),
        completed_area_m2=node["completed_area_m2"].number(low=0.0),
        completions=node["completions"].texts(),
        fallbacks=node["fallbacks"].texts(),
    )


def _read_link(node: Node, read_mesh: MeshReader, asset: str) -> Link:
    name = require_safe_name(node["name"].text(), kind="link")
    mass = _read_quantity(node["mass_kg"])
    if not 0.0 < mass.value <= MAX_MASS_KG:
        raise node["mass_kg"].error(f"a mass above 0 and up to {MAX_MASS_KG:g} kg")
    return Link(
        name=name,
        visual=read_mesh(asset, name, None),
        pieces=_read_pieces(node["pieces"], read_mesh, asset, name),
        mass_kg=mass,
        center_of_mass_m=node["center_of_mass_m"].array(3),
        inertia_kg_m2=node["inertia_kg_m2"].array(3, 3),
    )


def _read_joint(node: Node) -> Joint:
    axis = node["axis"].array(3)
    if abs(float(np.linalg.norm(axis)) - 1.0) > 1e-6:
        raise node["axis"].error("a unit axis")
    lower, upper = node["lower"].number(), node["upper"].number()
    if lower > upper:
        raise node["lower"].error(f"at most the upper limit, {upper:g}")
    return Joint(
        name=require_safe_name(node["name"].text(), kind="joint"),
        kind=node["kind"].choice("fixed", "revolute", "prismatic"),
        parent=node["parent"].text(),
        child=node["child"].text(),
        parent_from_child=_read_pose(node["parent_from_child"]),
        axis=axis,
        lower=lower,
        upper=upper,
        damping=node["damping"].number(low=0.0),
        friction=node["friction"].number(low=0.0),
    )


def _read_pieces(node: Node, read_mesh: MeshReader, asset: str, owner: str) -> tuple[Piece, ...]:
    pieces = []
    for index, item in enumerate(node.items()):
        size = item["size_m"].array(3)
        if np.any(size < 0.0):
            raise item["size_m"].error("extents of at least 0")
        pieces.append(
            Piece(
                kind=item["kind"].choice("mesh", "box", "cylinder", "sphere"),
                mesh=read_mesh(asset, owner, index),
                link_from_piece=_read_pose(item["link_from_piece"]),
                size_m=size,
            )
        )
    if not pieces:
        raise node.error("at least one collision piece")
    return tuple(pieces)


def _read_quantity(node: Node) -> Quantity:
    value, low, high = (node[key].number() for key in ("value", "low", "high"))
    if not low <= value <= high:
        raise node.error("an interval that holds its value")
    return Quantity(
        value=value,
        low=low,
        high=high,
        source=node["source"].choice("measured", "material table", "model", "default"),
    )


def _read_pose(node: Node) -> Array:
    pose = node.array(4, 4)
    rotation = pose[:3, :3]
    rigid = np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-6 and np.linalg.det(rotation) > 0.0
    if not rigid or np.any(pose[3] != [0.0, 0.0, 0.0, 1.0]):
        raise node.error("a rigid 4×4 pose")
    return pose
