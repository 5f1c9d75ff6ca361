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
from cousins.pack.records.images import TextureCache
from cousins.pack.records.mesh_bytes import mesh_bytes, read_meshes
from cousins.pack.records.numbers import as_pack_errors, rounded
from cousins.pack.records.signature_records import read_signature, signature_record
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.io.look_json import look_record, read_look
from cousins.scene.io.obj import round_mesh
from cousins.scene.io.paths import require_safe_name
from cousins.scene.io.scene_json import asset_record, read_asset, read_structure, structure_record
from cousins.scene.io.strict_json import Node
from cousins.scene.scenes import Scene, Structure
from cousins.vary.cousins import Variant

_VARIANT: Final = "cousins variant 1"
_SCENE: Final = "cousins pack scene 1"


class BlobSink(Protocol):
    """Writes bytes and images as blobs and returns their references."""

    def __call__(self, data: bytes) -> Blob:
        """Write bytes."""

    def image(self, texture: Array) -> Blob:
        """Write an image, uint8 [h, w, 3], as PNG; an image is encoded once."""


@dataclass(frozen=True, kw_only=True)
class MeshReferences:
    """References to the meshes of a record."""

    meshes: Blob
    """All meshes in order."""
    textures: tuple[Blob | None, ...]
    """The texture of each, None for none."""


def write_variant(variant: Variant, sink: BlobSink) -> Blob:
    """Write a variant and return the reference of its record."""
    record = {
        "format": _VARIANT,
        "key": variant.key,
        "of": variant.twin_object,
        "kind": variant.kind,
        "asset": asset_record(variant.asset),
        "signature": signature_record(variant.signature),
        "origin": variant.origin,
        "licence": variant.licence,
        "shape_distance": rounded(variant.shape_distance),
        "swap_distance": rounded(variant.swap_distance),
        "held_out": variant.held_out,
        **_write_meshes(_asset_meshes(variant.asset), sink),
    }
    return sink(record_bytes(record))


def read_variant(record: Blob, blobs: BlobReader, *, images: TextureCache | None = None) -> Variant:
    """Read a variant and all its meshes; raises `PackError` on anything that is not one."""
    with as_pack_errors():
        node = _variant_node(record, blobs)
        references = read_mesh_references(node)
        reader = _MeshReader(references, blobs, images or TextureCache())
        asset = read_asset(node["asset"], reader.next)
        reader.require_end()
        return Variant(
            key=require_safe_name(node["key"].text(), kind="variant"),
            twin_object=node["of"].text(),
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
    """Return the variant as `read_variant` will return it; idempotent."""
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


def write_scene_record(scene: Scene, sink: BlobSink) -> Blob:
    """Write the scene without its objects, which all cousins share, and return the reference of its record."""
    record: dict[str, Any] = {
        "format": _SCENE,
        "name": scene.name,
        "structures": [structure_record(structure) for structure in scene.structures],
        "scale": {"source": scene.scale.source, "error": rounded(scene.scale.error)},
        "capture_digest": scene.capture_digest,
        "warnings": list(scene.warnings),
        "fallbacks": list(scene.fallbacks),
        "look": None if scene.look is None else look_record(scene.look),
        **_write_meshes(_structure_meshes(scene.structures), sink),
    }
    return sink(record_bytes(record))


def read_scene_record(record: Blob, blobs: BlobReader, *, images: TextureCache | None = None) -> Scene:
    """Read the scene without its objects; raises `PackError` on anything that is not one."""
    with as_pack_errors():
        node = parse_record(blobs.read(record), source="scene")
        node["format"].choice(_SCENE)
        reader = _MeshReader(read_mesh_references(node), blobs, images or TextureCache())
        structures = tuple(read_structure(item, reader.next) for item in node["structures"].items())
        reader.require_end()
        return Scene(
            name=require_safe_name(node["name"].text(), kind="scene"),
            structures=structures,
            objects=(),
            relations=(),
            scale=Scale(source=node["scale"]["source"].text(), error=node["scale"]["error"].number(low=0.0)),
            capture_digest=node["capture_digest"].text(),
            warnings=node["warnings"].texts(),
            fallbacks=node["fallbacks"].texts(),
            look=read_look(node["look"]) if node.has("look") else None,
        )


def read_mesh_references(node: Node) -> MeshReferences:
    """Return the references of a record's meshes and textures."""
    textures = [None if item.value is None else read_blob(item) for item in node["textures"].items()]
    return MeshReferences(meshes=read_blob(node["meshes"]), textures=tuple(textures))


def blobs_of(record: Blob, blobs: BlobReader) -> set[Blob]:
    """Return the blobs that the record of a variant or of the scene references, and the record itself."""
    with as_pack_errors():
        references = read_mesh_references(parse_record(blobs.read(record), source="record"))
    return {record, references.meshes, *(texture for texture in references.textures if texture is not None)}


def licence_of(record: Blob, blobs: BlobReader) -> tuple[str, str]:
    """Return licence and origin of a variant."""
    with as_pack_errors():
        node = _variant_node(record, blobs)
        return node["licence"].text(), node["origin"].text()


def _variant_node(record: Blob, blobs: BlobReader) -> Node:
    node = parse_record(blobs.read(record), source="variant")
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


def _write_meshes(meshes: Iterable[Mesh], sink: BlobSink) -> dict[str, Any]:
    listed = list(meshes)
    textures = [None if mesh.texture is None or mesh.uv is None else sink.image(mesh.texture) for mesh in listed]
    return {
        "meshes": sink(mesh_bytes(listed)).record,
        "textures": [None if texture is None else texture.record for texture in textures],
    }


class _MeshReader:
    """Returns the meshes of a record in the order in which they were written."""

    def __init__(self, references: MeshReferences, blobs: BlobReader, images: TextureCache) -> None:
        self._images = images
        self._meshes = read_meshes(blobs.read(references.meshes))
        if len(references.textures) != len(self._meshes):
            raise _uneven()
        self._textures = references.textures
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
