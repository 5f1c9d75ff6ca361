"""Affordance signatures as JSON."""

from __future__ import annotations

from typing import Any

from cousins.affordances import Cavity, Grasp, JointAffordance, Signature, Support
from cousins.pack.records.numbers import read_triple, rounded, rounded_directions, rounded_lengths
from cousins.scene.io.strict_json import Node


def signature_record(signature: Signature) -> dict[str, Any]:
    """Return a signature as JSON values with rounded numbers."""
    cavity, support = signature.cavity, signature.support
    return {
        "size_m": rounded_lengths(signature.size_m),
        "grasps": [
            {
                "width_m": rounded(grasp.width_m),
                "center_m": rounded_lengths(grasp.center_m),
                "axis": rounded_directions(grasp.axis),
                "approach": rounded_directions(grasp.approach),
            }
            for grasp in signature.grasps
        ],
        "cavity": None
        if cavity is None
        else {
            "volume_m3": rounded(cavity.volume_m3),
            "opening_m": rounded(cavity.opening_m),
            "depth_m": rounded(cavity.depth_m),
            "center_m": rounded_lengths(cavity.center_m),
        },
        "support": None
        if support is None
        else {"radius_m": rounded(support.radius_m), "center_m": rounded_lengths(support.center_m)},
        "joints": [
            {
                "name": joint.name,
                "kind": joint.kind,
                "axis": rounded_directions(joint.axis),
                "range": rounded(joint.range),
                "handle_m": None if joint.handle_m is None else rounded_lengths(joint.handle_m),
            }
            for joint in signature.joints
        ],
    }


def read_signature(node: Node) -> Signature:
    """Return the signature of a JSON value; raises `SceneError` where it is invalid."""
    return Signature(
        size_m=read_triple(node["size_m"]),
        grasps=tuple(_read_grasp(item) for item in node["grasps"].items()),
        cavity=_read_cavity(node["cavity"]) if node.has("cavity") else None,
        support=_read_support(node["support"]) if node.has("support") else None,
        joints=tuple(_read_joint(item) for item in node["joints"].items()),
    )


def _read_grasp(node: Node) -> Grasp:
    return Grasp(
        width_m=node["width_m"].number(low=0.0),
        center_m=read_triple(node["center_m"]),
        axis=read_triple(node["axis"]),
        approach=read_triple(node["approach"]),
    )


def _read_cavity(node: Node) -> Cavity:
    return Cavity(
        volume_m3=node["volume_m3"].number(low=0.0),
        opening_m=node["opening_m"].number(low=0.0),
        depth_m=node["depth_m"].number(low=0.0),
        center_m=read_triple(node["center_m"]),
    )


def _read_support(node: Node) -> Support:
    return Support(radius_m=node["radius_m"].number(low=0.0), center_m=read_triple(node["center_m"]))


def _read_joint(node: Node) -> JointAffordance:
    return JointAffordance(
        name=node["name"].text(),
        kind=node["kind"].choice("revolute", "prismatic"),
        axis=read_triple(node["axis"]),
        range=node["range"].number(low=0.0),
        handle_m=read_triple(node["handle_m"]) if node.has("handle_m") else None,
    )
