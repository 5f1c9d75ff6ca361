"""Names of bodies and paths of files inside a scene folder."""

from __future__ import annotations

import re

from cousins.errors import SceneError
from cousins.reconstruct.assets import Asset
from cousins.scene.scenes import Scene

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
"""A name that is one path component on every system and one word in XML."""


def require_safe_name(name: str, *, kind: str) -> str:
    """Return the name where it is path-safe; raises `SceneError` otherwise."""
    if not SAFE_NAME.fullmatch(name):
        raise SceneError(
            f"{kind} named {name[:80]!r}",
            expected="letters, digits, '_' and '-', at most 64 of them, not beginning with '-'",
            hint="Rename it.",
        )
    return name


def require_unique(names: list[str], *, kind: str) -> None:
    """Raise `SceneError` where two names are equal, also on a file system that ignores case."""
    folded_names = [require_safe_name(name, kind=kind).casefold() for name in names]
    duplicates = sorted({name for name in folded_names if folded_names.count(name) > 1})
    if duplicates:
        raise SceneError(
            f"the {kind} name {duplicates[0]!r} twice", expected="unique names", hint="Rename one of them."
        )


def require_scene_names(scene: Scene) -> None:
    """Raise `SceneError` unless every name in the scene is path-safe and unique where it must be."""
    require_safe_name(scene.name, kind="scene")
    bodies = [structure.name for structure in scene.structures]
    for placed in scene.objects:
        asset = placed.asset
        require_unique([link.name for link in asset.links], kind=f"links of {asset.name}")
        require_unique([joint.name for joint in asset.joints], kind=f"joints of {asset.name}")
        bodies += [body_name(asset, link.name) for link in asset.links]
    require_unique([*bodies, "world"], kind="body")


def body_name(asset: Asset, link: str) -> str:
    """Return the scene-wide name of a link: the asset's name for its root link, `asset__link` for the others."""
    return asset.name if link == asset.links[0].name else f"{asset.name}__{link}"


def asset_folder(asset: str) -> str:
    """Return the folder of an asset, relative to the scene folder."""
    return f"assets/{asset}"


def structures_folder() -> str:
    """Return the folder of the fixed structure's meshes, relative to the scene folder."""
    return "structures"


def visual_file(owner: str) -> str:
    """Return a link's or structure's visual mesh, relative to its asset's folder or the structures folder."""
    return f"meshes/{owner}_visual.obj"


def texture_file(owner: str) -> str:
    """Return the texture of a visual mesh, relative like `visual_file`."""
    return f"meshes/{owner}_visual.png"


def piece_file(owner: str, index: int) -> str:
    """Return a collision piece, relative like `visual_file`."""
    return f"meshes/{owner}_piece_{index:02d}.obj"


def safe_name(text: str) -> str:
    """Return a name that is safe as a path and in a USD file, made from any text."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:48] or "scan"
