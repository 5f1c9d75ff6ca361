"""A user's own assets: kept in a folder by content hash, each with its licence, its origin and what it affords.

assets/<digest>.json    name, licence, origin and source of one asset, for people and for listing; written last
assets/<digest>.bin     the asset and its signature, compressed; <digest> is the SHA-256 of these bytes
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cousins.affordances import Signature
from cousins.codec import canonical_json, decode, encode
from cousins.errors import InputError
from cousins.reconstruct.assets import Asset

MOST_BYTES: Final = 256 << 20
"""Largest asset that is opened, unpacked [bytes]."""
LICENCE: Final = re.compile(
    r"\(*[A-Za-z0-9][A-Za-z0-9.+-]{1,63}\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9][A-Za-z0-9.+-]{1,63}\)*)*"
)
"""How an SPDX licence expression looks, `LicenseRef-` names included."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LibraryAsset:
    """An asset of a user's library."""

    name: str
    """Unique in the library: folder and file, such as `gso/Mug`."""
    asset: Asset
    """The asset."""
    signature: Signature
    """What it affords, measured."""
    licence: str
    """SPDX expression of its licence."""
    origin: str
    """In words: what it was made from, and how."""
    source_digest: str
    """SHA-256 of the file that it was made from, and of what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An asset of a library, without its meshes."""

    digest: str
    """SHA-256 of its file."""
    name: str
    """Its name in the library."""
    licence: str
    """SPDX expression of its licence."""
    origin: str
    """What it was made from."""
    source_digest: str
    """SHA-256 of the file that it was made from, and of what was asked for."""


def library_folder() -> Path:
    """Return where the library lies: COUSINS_LIBRARY, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_LIBRARY") or cache / "cousins-library")


def checked_licence(text: str | None) -> str:
    """Return an SPDX expression; raises InputError where there is none."""
    if text is None or LICENCE.fullmatch(text) is None:
        raise InputError(
            "no licence" if not text else f"the licence {text[:80]!r}",
            expected="the SPDX name of the assets' licence, because packs pass them on with it",
            hint="Such as --licence CC-BY-4.0, or LicenseRef-mine for terms of your own.",
        )
    return text


def keep(folder: Path, one: LibraryAsset) -> str:
    """Write an asset into a library and return its digest; an older one of its name is replaced."""
    place = folder / "assets"
    place.mkdir(parents=True, exist_ok=True)
    packed = zlib.compress(encode(one), 6)
    digest = hashlib.sha256(packed).hexdigest()
    head = {"name": one.name, "licence": one.licence, "origin": one.origin, "source_digest": one.source_digest}
    _write(place / f"{digest}.bin", packed)
    _write(place / f"{digest}.json", canonical_json(head) + b"\n")
    for other in listed(folder):
        if other.name == one.name and other.digest != digest:
            (place / f"{other.digest}.json").unlink(missing_ok=True)
            (place / f"{other.digest}.bin").unlink(missing_ok=True)
    return digest


def listed(folder: Path) -> tuple[Listed, ...]:
    """Return what is in a library, by name; raises InputError where its folder is broken."""
    found = []
    for path in sorted((folder / "assets").glob("*.json")):
        if _DIGEST.fullmatch(path.stem) is None:
            raise _broken(path, "a name that is no digest")
        try:
            head: Any = json.loads(path.read_bytes())
            fields = {key: head[key] for key in ("name", "licence", "origin", "source_digest")}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _broken(path, f"no description ({type(error).__name__})") from error
        if not all(isinstance(value, str) for value in fields.values()):
            raise _broken(path, "a description that is not of texts")
        found.append(Listed(digest=path.stem, **fields))
    return tuple(sorted(found, key=lambda one: one.name))


def load_library(folder: Path) -> tuple[LibraryAsset, ...]:
    """Return all assets of a library, by name; raises InputError where one is not what its digest says."""
    if not (folder / "assets").is_dir():
        raise InputError(
            f"no library at {str(folder)!r}",
            expected="a folder that `cousins assets add` wrote",
            hint="Type `cousins assets add FOLDER --licence SPDX --library DIR` first.",
        )
    return tuple(_read(folder / "assets" / f"{one.digest}.bin") for one in listed(folder))


def _read(path: Path) -> LibraryAsset:
    packed = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(packed).hexdigest() != path.stem:
        raise _broken(path, "bytes that are not those of its digest")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise _broken(path, f"what does not unpack ({error})") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise _broken(path, f"more than {MOST_BYTES >> 20} MB, or less than was packed")
    return decode(LibraryAsset, data)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(path)


def _broken(path: Path, found: str) -> InputError:
    return InputError(
        f"{found} in {path.name[:80]!r}",
        expected="a library as `cousins assets add` wrote it",
        hint="Delete the file and add its asset again.",
    )
