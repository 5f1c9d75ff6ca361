"""Cousins as JSON, and pages of them: the parameters of a cousin without its assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from cousins.pack.blobs import Blob, parse_record, read_blob, record_bytes
from cousins.pack.records.numbers import as_pack_errors, read_triple, rounded, rounded_lengths, rounded_quaternion
from cousins.scene.io.look_json import look_record, read_look
from cousins.scene.io.paths import require_safe_name
from cousins.scene.io.relation_json import read_relation, relation_record
from cousins.scene.io.scene_json import MAX_MASS_KG
from cousins.scene.io.strict_json import Node
from cousins.vary.cousins import AXES, SPLITS, Cousin, GoalSpec, JointChange, ObjectInstance, StructureChange

MAX_COUSINS: Final = 100_000_000
"""Highest number of a cousin."""
MAX_INSTANCES: Final = 2000
"""Most objects of a cousin."""
_PAGE: Final = "cousins page 1"


def cousin_record(cousin: Cousin) -> dict[str, Any]:
    """Return a cousin as JSON values with rounded numbers."""
    return {
        "index": cousin.index,
        "split": cousin.split,
        "stands": [_instance_record(instance) for instance in cousin.objects],
        "grounds": [_ground(ground) for ground in cousin.structures],
        "relations": [relation_record(relation) for relation in cousin.relations],
        "look": look_record(cousin.look),
        "task": _task(cousin.task),
        "distances": {axis: rounded(cousin.distances[axis]) for axis in sorted(cousin.distances)},
        "draw": list(cousin.spawn_key),
    }


def read_cousin(node: Node) -> Cousin:
    """Return the cousin of a JSON value; raises `SceneError` where it is invalid."""
    instances = node["stands"].items()
    if len(instances) > MAX_INSTANCES:
        raise node["stands"].error(f"at most {MAX_INSTANCES} objects")
    return Cousin(
        index=node["index"].integer(low=0, high=MAX_COUSINS),
        split=node["split"].choice(*SPLITS),
        objects=tuple(_read_instance(item) for item in instances),
        structures=tuple(_read_ground(item) for item in node["grounds"].items()),
        relations=tuple(read_relation(item) for item in node["relations"].items()),
        look=read_look(node["look"]),
        task=_read_task(node["task"]),
        distances=_read_distances(node["distances"]),
        spawn_key=tuple(item.integer(low=0, high=2**63 - 1) for item in node["draw"].items()),
    )


def rounded_cousin(cousin: Cousin) -> Cousin:
    """Return the cousin as `read_cousin` will return it; idempotent."""
    return read_cousin(Node(value=cousin_record(cousin), path=f"cousin {cousin.index}"))


def page_bytes(records: Sequence[dict[str, Any]], variants: Mapping[str, Blob]) -> bytes:
    """Return cousins of one split as a page, with the records of the variants that they show."""
    listed = {key: variants[key].record for key in sorted(variants)}
    return record_bytes({"format": _PAGE, "cousins": list(records), "variants": listed})


def read_page(data: bytes) -> tuple[dict[int, Node], dict[str, Blob]]:
    """Return a page's cousins by number, not yet read, and the variants' records by key; raises `PackError`."""
    with as_pack_errors():
        node = parse_record(data, source="page")
        node["format"].choice(_PAGE)
        cousins = node["cousins"].items()
        numbered = {item["index"].integer(low=0, high=MAX_COUSINS): item for item in cousins}
        if len(numbered) != len(cousins):
            raise node["cousins"].error("each cousin once")
        return numbered, read_variant_list(node["variants"])


def read_variant_list(node: Node) -> dict[str, Blob]:
    """Return references to variants' records by key."""
    if not isinstance(node.value, dict):
        raise node.error("an object of references")
    return {require_safe_name(key, kind="variant"): read_blob(node[key]) for key in node.value}


def variants_of(cousin: Cousin) -> set[str]:
    """Return the keys of the variants that a cousin shows."""
    return {instance.variant for instance in cousin.objects}


def _instance_record(instance: ObjectInstance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "variant": instance.variant,
        "position_m": rounded_lengths(instance.position_m),
        "quat_wxyz": rounded_quaternion(instance.quat_wxyz),
        "fixed": instance.fixed,
        "mass_kg": [rounded(mass) for mass in instance.mass_kg],
        "com_shift_m": rounded_lengths(instance.com_shift_m),
        "friction": rounded(instance.friction),
        "restitution": rounded(instance.restitution),
        "joints": [_joint(change) for change in instance.joints],
        "material": instance.material,
    }


def _joint(change: JointChange) -> dict[str, Any]:
    numbers = {key: rounded(getattr(change, key)) for key in ("lower", "upper", "damping", "friction")}
    return {"name": change.name, **numbers}


def _ground(ground: StructureChange) -> dict[str, Any]:
    return {
        "name": ground.name,
        "friction": rounded(ground.friction),
        "restitution": rounded(ground.restitution),
        "material": ground.material,
    }


def _task(task: GoalSpec) -> dict[str, Any]:
    return {
        "target": task.target,
        "goal_m": rounded_lengths(task.goal_m),
        "goal_radius_m": rounded(task.goal_radius_m),
        "robot_base_m": rounded_lengths(task.robot_base_m),
        "robot_yaw_rad": rounded(task.robot_yaw_rad),
    }


def _read_instance(node: Node) -> ObjectInstance:
    w, x, y, z = node["quat_wxyz"].array(4).tolist()
    if abs(float(np.linalg.norm([w, x, y, z])) - 1.0) > 1e-5:
        raise node["quat_wxyz"].error("a unit quaternion")
    masses = tuple(item.number(high=MAX_MASS_KG) for item in node["mass_kg"].items())
    if not masses or min(masses) <= 0.0:
        raise node["mass_kg"].error("masses above 0")
    return ObjectInstance(
        name=require_safe_name(node["name"].text(), kind="object"),
        variant=require_safe_name(node["variant"].text(), kind="variant"),
        position_m=read_triple(node["position_m"]),
        quat_wxyz=(w, x, y, z),
        fixed=node["fixed"].flag(),
        mass_kg=masses,
        com_shift_m=read_triple(node["com_shift_m"]),
        friction=node["friction"].number(low=0.0),
        restitution=node["restitution"].number(low=0.0, high=1.0),
        joints=tuple(_read_joint(item) for item in node["joints"].items()),
        material=node["material"].text(),
    )


def _read_joint(node: Node) -> JointChange:
    lower, upper = node["lower"].number(), node["upper"].number()
    if lower > upper:
        raise node["lower"].error(f"at most the upper limit, {upper:g}")
    return JointChange(
        name=require_safe_name(node["name"].text(), kind="joint"),
        lower=lower,
        upper=upper,
        damping=node["damping"].number(low=0.0),
        friction=node["friction"].number(low=0.0),
    )


def _read_ground(node: Node) -> StructureChange:
    return StructureChange(
        name=require_safe_name(node["name"].text(), kind="structure"),
        friction=node["friction"].number(low=0.0),
        restitution=node["restitution"].number(low=0.0, high=1.0),
        material=node["material"].text(),
    )


def _read_task(node: Node) -> GoalSpec:
    return GoalSpec(
        target=node["target"].text(),
        goal_m=read_triple(node["goal_m"]),
        goal_radius_m=node["goal_radius_m"].number(low=0.0),
        robot_base_m=read_triple(node["robot_base_m"]),
        robot_yaw_rad=node["robot_yaw_rad"].number(),
    )


def _read_distances(node: Node) -> dict[str, float]:
    if not isinstance(node.value, dict) or not set(node.value) <= set(AXES):
        raise node.error("distances by axis: " + ", ".join(AXES))
    return {axis: node[axis].number(low=0.0, high=1.0) for axis in AXES if axis in node.value}
