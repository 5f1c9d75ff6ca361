"""Personal strings that are planted in exports, and a search for them in all written files."""

from __future__ import annotations

import base64
import re
import zipfile
from pathlib import Path

from tests.cousins.capture.room import CANARY

OWNER = "Anna-Musters-iPhone"
PLACE_NAME = "IMG_20240503_Kastanienallee"
SECRETS = (CANARY, OWNER.encode(), b"Musters", PLACE_NAME.encode(), b"Kastanienallee")
PERSONAL_FIELDS = {
    "owner": OWNER,
    "deviceName": OWNER,
    "device": {"name": OWNER},
    "title": OWNER,
    "appVersionString": OWNER,
    "latitude": CANARY.decode(),
    "originalFileName": f"{PLACE_NAME}.HEIC",
}


def jpeg_with_location(data: bytes) -> bytes:
    """Return the JPEG with an EXIF segment that names a location."""
    exif = b"Exif\0\0" + CANARY
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


def find_leaks(folder: Path) -> list[str]:
    """Return every file below a folder that contains a secret in its name, its bytes, or in packed or inlined data."""
    return [
        f"{path.relative_to(folder)}: {secret.decode()}"
        for path in folder.rglob("*")
        for secret in SECRETS
        if secret in str(path.relative_to(folder)).encode() or (path.is_file() and secret in _opened(path))
    ]


def _opened(path: Path) -> bytes:
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data += b"".join(archive.read(name) for name in archive.namelist())
    inlined = re.findall(rb"base64,([A-Za-z0-9+/=]{100,})", data)
    return data + b"".join(base64.b64decode(part) for part in inlined)
