"""Textures that were read from a pack, and the PNG that each came from.

Encoding a texture again takes longer than all else about a cousin.
"""

from __future__ import annotations

import weakref
from typing import Final

from cousins.geometry import Array
from cousins.pack.blobs import Blob, BlobReader
from cousins.scene.io.obj import png_bytes, read_png

_PNG_HEADER: Final = bytes([8, 2, 0, 0, 0])
"""A PNG's depth, colour type, compression, filter and interlace, as `png_bytes` writes them."""


class TextureCache:
    """Cache of the PNG bytes of textures, for as long as the textures live."""

    def __init__(self) -> None:
        self._bytes: dict[int, bytes] = {}

    def read(self, blob: Blob, blobs: BlobReader) -> Array:
        """Return a texture, uint8 [h, w, 3]; raises `SceneError` where it is none."""
        data = blobs.read(blob)
        image = read_png(data, source=f"texture {blob.digest[:12]}")
        if data[24:29] == _PNG_HEADER:
            self._bytes[id(image)] = data
            weakref.finalize(image, self._bytes.pop, id(image), None)
        return image

    def png(self, texture: Array) -> bytes:
        """Return a texture, uint8 [h, w, 3], as PNG: its original bytes where it was read here."""
        return self._bytes.get(id(texture)) or png_bytes(texture)
