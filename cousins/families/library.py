"""A user's asset library: a folder of assets by content hash, with licence, origin and measured affordances.

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
from cousins.publishing import write_atomic
from cousins.reconstruct.assets import Asset

MAX_ASSET_BYTES: Final = 256 << 20
"""Largest decompressed asset that is read [bytes]."""
LICENCE_PATTERN: Final = re.compile(
    r"\(*[A-Za-z0-9][A-Za-z0-9.+-]{1,63}\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9][A-Za-z0-9.+-]{1,63}\)*)*"
)
"""Pattern of an SPDX licence expression, `LicenseRef-` names included."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LibraryAsset:
    """An asset of a user's library."""

    name: str
    """Unique in the library: folder and file, such as `gso/Mug`."""
    asset: Asset
    """The asset."""
    signature: Signature
    """Its measured affordances."""
    licence: str
    """SPDX expression of its licence."""
    origin: str
    """Description of its source and of how it was made."""
    source_digest: str
    """SHA-256 of the source file and the import options."""


@dataclass(frozen=True, kw_only=True)
class LibraryEntry:
    """An asset of a library, without its meshes."""

    digest: str
    """SHA-256 of its file."""
    name: str
    """Name in the library."""
    licence: str
    """SPDX expression of its licence."""
    origin: str
    """Description of its source."""
    source_digest: str
    """SHA-256 of the source file and the import options."""


def library_folder() -> Path:
    """Return the folder of the library: COUSINS_LIBRARY, or a folder in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_LIBRARY") or cache / "cousins-library")


def require_licence(text: str | None) -> str:
    """Return a valid SPDX expression; raises `InputError` where it is missing or invalid."""
    if text is None or LICENCE_PATTERN.fullmatch(text) is None:
        raise InputError(
            "no licence" if not text else f"the licence {text[:80]!r}",
            expected="the SPDX name of the assets' licence, because packs pass them on with it",
            hint="Such as --licence CC-BY-4.0, or LicenseRef-mine for terms of your own.",
        )
    return text


def save_asset(folder: Path, library_asset: LibraryAsset) -> str:
    """Write an asset into a library and return its digest; an older asset of the same name is replaced."""
    assets_folder = folder / "assets"
    assets_folder.mkdir(parents=True, exist_ok=True)
    packed = zlib.compress(encode(library_asset), 6)
    digest = hashlib.sha256(packed).hexdigest()
    description = {
        "name": library_asset.name,
        "licence": library_asset.licence,
        "origin": library_asset.origin,
        "source_digest": library_asset.source_digest,
    }
    write_atomic(assets_folder / f"{digest}.bin", packed)
    write_atomic(assets_folder / f"{digest}.json", canonical_json(description) + b"\n")
    for entry in list_assets(folder):
        if entry.name == library_asset.name and entry.digest != digest:
            (assets_folder / f"{entry.digest}.json").unlink(missing_ok=True)
            (assets_folder / f"{entry.digest}.bin").unlink(missing_ok=True)
    return digest


def list_assets(folder: Path) -> tuple[LibraryEntry, ...]:
    """Return the entries of a library, sorted by name; raises `InputError` where its folder is damaged."""
    entries = []
    for path in sorted((folder / "assets").glob("*.json")):
        if _DIGEST.fullmatch(path.stem) is None:
            raise _broken(path, "a name that is no digest")
        try:
            description: Any = json.loads(path.read_bytes())
            fields = {key: description[key] for key in ("name", "licence", "origin", "source_digest")}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _broken(path, f"no description ({type(error).__name__})") from error
        if not all(isinstance(value, str) for value in fields.values()):
            raise _broken(path, "a description that is not of texts")
        entries.append(LibraryEntry(digest=path.stem, **fields))
    return tuple(sorted(entries, key=lambda entry: entry.name))


def load_library(folder: Path) -> tuple[LibraryAsset, ...]:
    """Return all assets of a library, sorted by name; raises `InputError` where one does not match its digest."""
    if not (folder / "assets").is_dir():
        raise InputError(
            f"no library at {str(folder)!r}",
            expected="a folder that `cousins assets add` wrote",
            hint="Type `cousins assets add FOLDER --licence SPDX --library DIR` first.",
        )
    return tuple(_read(folder / "assets" / f"{entry.digest}.bin") for entry in list_assets(folder))


def _read(path: Path) -> LibraryAsset:
    packed = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(packed).hexdigest() != path.stem:
        raise _broken(path, "bytes that are not those of its digest")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MAX_ASSET_BYTES)
    except zlib.error as error:
        raise _broken(path, f"what does not unpack ({error})") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise _broken(path, f"more than {MAX_ASSET_BYTES >> 20} MB, or less than was packed")
    return decode(LibraryAsset, data)


def _broken(path: Path, problem: str) -> InputError:
    return InputError(
        f"{problem} in {path.name[:80]!r}",
        expected="a library as `cousins assets add` wrote it",
        hint="Delete the file and add its asset again.",
    )
