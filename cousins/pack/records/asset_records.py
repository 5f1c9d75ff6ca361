"""Variants and the scene around them as blobs: a record, the meshes that it needs, and their textures.

Meshes of one asset lie in one blob, in the order in which its links and pieces are named; every texture is a PNG of
its own, so that bent copies of one thing share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from cousins.capture.captures import Scale
from cousins.errors import PackError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.pack.blobs import Blob, BlobReader, parse_record, read_blob, record_bytes
from cousins.pack.records.images import Images
from cousins.pack.records.mesh_bytes import mesh_bytes, read_meshes
from cousins.pack.records.numbers import of_a_pack, rounded
from cousins.pack.records.signature_records import read_signature, signature_record
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.io.look_json import look_record, read_look
from cousins.scene.io.obj import round_mesh
from cousins.scene.io.paths import require_safe
from cousins.scene.io.scene_json import asset_record, read_asset, read_structure, structure_record
from cousins.scene.io.strict_json import Node
from cousins.scene.scenes import Scene, Structure
from cousins.vary.cousins import Variant

_VARIANT: Final = "cousins variant 1"
_SCENE: Final = "cousins pack scene 1"


class Put(Protocol):
    """Keeps bytes and images and returns their references."""

    def __call__(self, data: bytes) -> Blob:
        """Keep bytes."""

    def image(self, texture: Array) -> Blob:
        """Keep an image, uint8 [h, w, 3], as PNG; the same image again costs nothing."""


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """References to the meshes of a record."""

    meshes: Blob
    """All meshes in order."""
    textures: tuple[Blob | None, ...]
    """The texture of each, None for none."""


def put_variant(variant: Variant, put: Put) -> Blob:
    """Keep a variant and return the reference of its record."""
    record = {
        "format": _VARIANT,
        "key": variant.key,
        "of": variant.of,
        "kind": variant.kind,
        "asset": asset_record(variant.asset),
        "signature": signature_record(variant.signature),
        "origin": variant.origin,
        "licence": variant.licence,
        "shape_distance": rounded(variant.shape_distance),
        "swap_distance": rounded(variant.swap_distance),
        "held_out": variant.held_out,
        **_put_shapes(_asset_meshes(variant.asset), put),
    }
    return put(record_bytes(record))


def read_variant(record: Blob, blobs: BlobReader, *, images: Images | None = None) -> Variant:
    """Read a variant and all its meshes; raises `PackError` on anything that is not one."""
    with of_a_pack():
        node = _variant_node(record, blobs)
        shapes = read_shapes(node)
        taken = _Meshes(shapes, blobs, images or Images())
        asset = read_asset(node["asset"], taken.next)
        taken.require_end()
        return Variant(
            key=require_safe(node["key"].text(), what="variant"),
            of=node["of"].text(),
            kind=node["kind"].choice("twin", "shape", "family", "library", "clutter"),
            asset=asset,
            signature=read_signature(node["signature"]),
            origin=node["origin"].text(),
            licence=node["licence"].text(),
            shape_distance=node["shape_distance"].number(low=0.0, high=1.0),
            swap_distance=node["swap_distance"].number(low=0.0, high=1.0),
            held_out=node["held_out"].flag(),
        )


def rounded_variant(variant: Variant) -> Variant:
    """Return the variant as it will be read back; doing it twice changes nothing."""
    meshes = iter([round_mesh(mesh) for mesh in _asset_meshes(variant.asset)])
    node = Node(value=asset_record(variant.asset), path=variant.key)
    signature = Node(value=signature_record(variant.signature), path=variant.key)
    return replace(
        variant,
        asset=read_asset(node, lambda _asset, _owner, _index: next(meshes)),
        signature=read_signature(signature),
        shape_distance=rounded(variant.shape_distance),
        swap_distance=rounded(variant.swap_distance),
    )


def put_scene(scene: Scene, put: Put) -> Blob:
    """Keep what all cousins share, the scene without its objects, and return the reference of its record."""
    record: dict[str, Any] = {
        "format": _SCENE,
        "name": scene.name,
        "structures": [structure_record(structure) for structure in scene.structures],
        "scale": {"source": scene.scale.source, "error": rounded(scene.scale.error)},
        "capture_digest": scene.capture_digest,
        "warnings": list(scene.warnings),
        "fallbacks": list(scene.fallbacks),
        "look": None if scene.look is None else look_record(scene.look),
        **_put_shapes(_structure_meshes(scene.structures), put),
    }
    return put(record_bytes(record))


def read_scene_record(record: Blob, blobs: BlobReader, *, images: Images | None = None) -> Scene:
    """Read the scene without its objects; raises `PackError` on anything that is not one."""
    with of_a_pack():
        node = parse_record(blobs.read(record), where="scene")
        node["format"].choice(_SCENE)
        taken = _Meshes(read_shapes(node), blobs, images or Images())
        structures = tuple(read_structure(item, taken.next) for item in node["structures"].items())
        taken.require_end()
        return Scene(
            name=require_safe(node["name"].text(), what="scene"),
            structures=structures,
            objects=(),
            relations=(),
            scale=Scale(source=node["scale"]["source"].text(), error=node["scale"]["error"].number(low=0.0)),
            capture_digest=node["capture_digest"].text(),
            warnings=node["warnings"].texts(),
            fallbacks=node["fallbacks"].texts(),
            look=read_look(node["look"]) if node.has("look") else None,
        )


def read_shapes(node: Node) -> Shapes:
    """Return the references of a record's meshes and textures."""
    textures = [None if item.value is None else read_blob(item) for item in node["textures"].items()]
    return Shapes(meshes=read_blob(node["meshes"]), textures=tuple(textures))


def blobs_of(record: Blob, blobs: BlobReader) -> set[Blob]:
    """Return the references that the record of a variant or of the scene makes, itself among them."""
    with of_a_pack():
        shapes = read_shapes(parse_record(blobs.read(record), where="record"))
    return {record, shapes.meshes, *(texture for texture in shapes.textures if texture is not None)}


def licence_of(record: Blob, blobs: BlobReader) -> tuple[str, str]:
    """Return licence and origin of a variant."""
    with of_a_pack():
        node = _variant_node(record, blobs)
        return node["licence"].text(), node["origin"].text()


def _variant_node(record: Blob, blobs: BlobReader) -> Node:
    node = parse_record(blobs.read(record), where="variant")
    node["format"].choice(_VARIANT)
    return node


def _asset_meshes(asset: Asset) -> Iterable[Mesh]:
    for link in asset.links:
        yield link.visual
        yield from _piece_meshes(link.pieces)


def _structure_meshes(structures: Sequence[Structure]) -> Iterable[Mesh]:
    for structure in structures:
        yield structure.visual
        yield from _piece_meshes(structure.pieces)


def _piece_meshes(pieces: Sequence[Piece]) -> Iterable[Mesh]:
    return (piece.mesh for piece in pieces)


def _put_shapes(meshes: Iterable[Mesh], put: Put) -> dict[str, Any]:
    listed = list(meshes)
    textures = [None if mesh.texture is None or mesh.uv is None else put.image(mesh.texture) for mesh in listed]
    return {
        "meshes": put(mesh_bytes(listed)).record,
        "textures": [None if texture is None else texture.record for texture in textures],
    }


class _Meshes:
    """Hands out the meshes of a record in the order in which they were written."""

    def __init__(self, shapes: Shapes, blobs: BlobReader, images: Images) -> None:
        self._images = images
        self._meshes = read_meshes(blobs.read(shapes.meshes))
        if len(shapes.textures) != len(self._meshes):
            raise _uneven()
        self._textures = shapes.textures
        self._blobs = blobs
        self._place = 0

    def next(self, asset: str, owner: str, index: int | None) -> Mesh:  # noqa: ARG002
        if self._place == len(self._meshes):
            raise _uneven()
        mesh, texture = self._meshes[self._place], self._textures[self._place]
        self._place += 1
        return mesh if texture is None else replace(mesh, texture=self._images.read(texture, self._blobs))

    def require_end(self) -> None:
        if self._place != len(self._meshes):
            raise _uneven()


def _uneven() -> PackError:
    return PackError(
        "a record whose meshes are not those of its links",
        expected="one mesh for every link, structure and piece",
        hint="Pull the pack again.",
    )
