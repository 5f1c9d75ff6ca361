"""Pack a scene folder's USD files into one .usdz, the same bytes each time.

A .usdz is a zip whose members are stored, begin at multiples of 64 bytes, and whose first member is the root
layer (usdz file format specification, OpenUSD). Times are fixed and the other members sorted.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

ALIGNMENT_BYTES: Final = 64
"""Every member's data begins at a multiple of this [bytes]."""
PADDING_ID: Final = 0x1986
"""Id of the zip extra field that OpenUSD itself uses for padding."""
MEMBER_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Time of every member: the oldest that zip knows."""
LOCAL_HEADER_BYTES: Final = 30
"""Bytes of a zip's local file header before name and extra field."""


def write_usdz(folder: Path) -> None:
    """Write `scene.usdz` from `scene.usda`, the asset layers and the textures of a scene folder."""
    members = [path for name in ("assets", "structures") for path in (folder / name).rglob("*")]
    packed = sorted(path.relative_to(folder).as_posix() for path in members if path.suffix in (".usda", ".png"))
    with zipfile.ZipFile(folder / "scene.usdz", "w", zipfile.ZIP_STORED) as archive:
        for name in ["scene.usda", *packed]:
            _add(archive, name, (folder / name).read_bytes())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, date_time=MEMBER_TIME)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    begin = archive.start_dir + LOCAL_HEADER_BYTES + len(name.encode()) + 4
    padding = -begin % ALIGNMENT_BYTES
    info.extra = PADDING_ID.to_bytes(2, "little") + padding.to_bytes(2, "little") + bytes(padding)
    archive.writestr(info, data)
