"""Strings that tell whose an export is, and the search for them in everything that is written."""

from __future__ import annotations

import base64
import re
import zipfile
from pathlib import Path

from tests.cousins.capture.room import CANARY

OWNER = "Anna-Musters-iPhone"
PLACE = "IMG_20240503_Kastanienallee"
SECRETS = (CANARY, OWNER.encode(), b"Musters", PLACE.encode(), b"Kastanienallee")
PLANTED = {
    "owner": OWNER,
    "deviceName": OWNER,
    "device": {"name": OWNER},
    "title": OWNER,
    "appVersionString": OWNER,
    "latitude": CANARY.decode(),
    "originalFileName": f"{PLACE}.HEIC",
}


def told_jpeg(data: bytes) -> bytes:
    """The JPEG with a segment that tells where it was taken."""
    exif = b"Exif\0\0" + CANARY
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


def leaks(folder: Path) -> list[str]:
    """Every file below a folder that holds a secret, in its name, its bytes, or what is packed or inlined in it."""
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
