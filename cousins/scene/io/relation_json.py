"""Relations as JSON: part of `scene.json` and of every cousin's record."""

from __future__ import annotations

from typing import Any

from cousins.errors import SceneError
from cousins.scene.io.strict_json import Node
from cousins.scene.scenes import Relation, Scene


def relation_record(relation: Relation) -> dict[str, Any]:
    """Return a relation as JSON values."""
    return {"kind": relation.kind, "subject": relation.subject, "object": relation.object}


def read_relation(node: Node) -> Relation:
    """Return the relation of a JSON value; raises `SceneError` where it is invalid."""
    return Relation(
        kind=node["kind"].choice("on", "inside", "against", "next to", "hangs on"),
        subject=node["subject"].text(),
        object=node["object"].text(),
    )


def require_known_relations(scene: Scene) -> None:
    """Raise `SceneError` where a relation names a body that is not in the scene, or hangs on what is no structure."""
    structure_names = {structure.name for structure in scene.structures}
    names_in_scene = structure_names | {placed.asset.name for placed in scene.objects}
    for relation in scene.relations:
        if relation.kind == "hangs on" and relation.object not in structure_names:
            raise SceneError(
                f"{relation.subject[:80]!r}, which hangs on {relation.object[:80]!r}",
                expected="the name of a structure",
                hint="Write the scene folder anew.",
            )
        for name in (relation.subject, relation.object):
            if name not in names_in_scene:
                raise SceneError(
                    f"a relation about {name[:80]!r}",
                    expected="the name of a structure or an object",
                    hint="Write the scene folder anew.",
                )
