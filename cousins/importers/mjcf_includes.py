"""The files that an MJCF includes, spliced in as MuJoCo does: their root's children take the place of the include."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

from cousins.importers.articulation import description_error, mesh_file, read_xml

MAX_INCLUDES: Final = 200
"""Most files that one MJCF includes."""


def read_with_includes(path: Path, root: Path) -> tuple[ET.Element, tuple[Path, ...]]:
    """Return the root element of an MJCF with all includes spliced in, and the included files.

    Names are relative to the folder of the including model, as in MuJoCo. Raises CaptureError for a file that is not
    inside `root`, that is included twice, or that is no XML.
    """
    top = read_xml(path)
    files: list[Path] = []
    _splice(top, path, root, files)
    return top, tuple(files)


def _splice(parent: ET.Element, path: Path, root: Path, files: list[Path]) -> None:
    """Replace every include below an element."""
    children: list[ET.Element] = []
    for child in parent:
        if child.tag != "include":
            _splice(child, path, root, files)
            children.append(child)
            continue
        name = child.get("file", "")
        target = mesh_file(path, name, root) if name else None
        if target is None:
            raise description_error(
                path,
                f"an include of {name[:80]!r} that is not inside the folder",
                hint="Give the folder above that holds both, or copy the file beside it.",
            )
        if target in files or target == path.resolve() or len(files) >= MAX_INCLUDES:
            raise description_error(path, f"{name[:80]!r} included twice, or more than {MAX_INCLUDES} includes")
        files.append(target)
        inner = read_xml(target)
        _splice(inner, path, root, files)
        children += list(inner)
    parent[:] = children
