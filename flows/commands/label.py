"""`cousins label SCENE OBJECT LABEL`: name an object; the name gives its material, and so its mass and friction."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from cousins.meshes import Mesh
    from cousins.reconstruct.assets import Asset, Link
    from cousins.reconstruct.materials import Material
    from cousins.scene.scenes import Scene

MOST_LETTERS = 80
"""Longest label."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins label`."""
    parser.add_argument("scene", type=Path, metavar="SCENE")
    parser.add_argument("object", metavar="OBJECT", help="its name, such as object_0")
    parser.add_argument("label", metavar="LABEL", help='what people call it, such as "blue mug"')


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Write the scene again with the label, test it in physics again, and bring the report up to date."""
    from cousins.publishing import contents, publish_folder
    from cousins.scene.scene_folder import read_scene, write_scene
    from flows.commands.inspect import read_report
    from flows.pipeline.run_scan import default_store
    from flows.reporting.summary import asset_summary, scene_summary
    from sim.validation.gates import run_gates

    folder: Path = arguments.scene
    label = _checked(arguments.label)
    before = contents(folder)
    scene = labelled(read_scene(folder), arguments.object, label)
    with default_store().scratch_folder() as work:
        fresh = work / "scene"
        digest = write_scene(scene, fresh)
        written = read_scene(fresh)
        gates = run_gates(written)
        if (folder / "report.json").is_file():
            report = read_report(folder / "report.json")
            report |= {"digest": digest, **scene_summary(written, gates)}
            _write_reports(report, folder, fresh)
        _keep_others(folder, fresh)
        publish_folder(fresh, folder, before=before)
    asset = next(placed for placed in written.objects if placed.asset.name == arguments.object)
    return {
        "scene": str(folder),
        "digest": digest,
        "asset": asset_summary(asset, scale_error=written.scale.error),
        "ok": gates.passed,
    }, 0


def format_result(result: dict[str, Any]) -> str:
    """Return what the object is now."""
    asset = result["asset"]
    mass = "{value:.2g} kg ({low:.2g}–{high:.2g}, {source})".format(**asset["mass_kg"])
    return f"{asset['name']} is now called '{asset['label']}': {asset['material']}, {mass}"


def labelled(scene: Scene, name: str, label: str) -> Scene:
    """Return the scene with one object named, and its mass and friction as its new material has them."""
    names = [placed.asset.name for placed in scene.objects]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UnknownNameError(
            f"no object named '{name}'",
            expected="one of " + ", ".join(names) if names else "a scene with objects",
            hint=f"Did you mean '{close[0]}'?" if close else "`cousins inspect SCENE` lists them.",
        )
    objects = tuple(
        replace(placed, asset=_named(placed.asset, label, scene.scale.error)) if placed.asset.name == name else placed
        for placed in scene.objects
    )
    return replace(scene, objects=objects)


def _named(asset: Asset, label: str, scale_error: float) -> Asset:
    from cousins.reconstruct.materials import material_for

    material = material_for(label, longest_side_m=float(asset.size_m.max()))
    return replace(
        asset,
        label=label,
        label_source="user",
        label_score=None,
        links=tuple(_weighed(link, material, scale_error) for link in asset.links),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
    )


def _weighed(link: Link, material: Material, scale_error: float) -> Link:
    from cousins.reconstruct.build import mass_properties

    mass, center, inertia = mass_properties(_solid(link), material.density_kg_m3, scale_error=scale_error)
    return replace(link, mass_kg=mass, center_of_mass_m=center, inertia_kg_m2=inertia)


def _solid(link: Link) -> Mesh:
    """Return what is weighed: the looks where they are watertight, else the collision pieces joined."""
    import manifold3d
    import numpy as np

    from cousins.meshes import Mesh

    looks = link.visual.to_trimesh()
    looks.merge_vertices()
    if looks.is_watertight:
        return link.visual
    parts = [
        manifold3d.Manifold(
            manifold3d.Mesh64(
                np.ascontiguousarray(piece.mesh.vertices), np.ascontiguousarray(piece.mesh.faces.astype(np.uint64))
            )
        )
        for piece in link.pieces
    ]
    union = manifold3d.Manifold.batch_boolean(parts, manifold3d.OpType.Add).to_mesh64()
    return Mesh(
        vertices=np.asarray(union.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(union.tri_verts, dtype=np.int32),
    )


def _checked(label: str) -> str:
    text = " ".join(label.split())
    if not text or len(text) > MOST_LETTERS or not text.isprintable():
        raise InputError(
            f"the label {label[:MOST_LETTERS]!r}",
            expected=f"1 to {MOST_LETTERS} printable letters",
            hint='Type, for example, `cousins label SCENE object_0 "blue mug"`.',
        )
    return text


def _write_reports(report: dict[str, Any], old: Path, fresh: Path) -> None:
    from flows.reporting.report import page, pictures_of

    (fresh / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    if (old / "report.html").is_file():
        images, model, poster = pictures_of((old / "report.html").read_text(encoding="utf-8"))
        html = page(report, images, model=model, poster=poster)
        (fresh / "report.html").write_text(html, encoding="utf-8")


def _keep_others(old: Path, fresh: Path) -> None:
    """Bring along what lies in the old folder and is not replaced, such as previews, packs and notes."""
    for path in old.iterdir():
        if (fresh / path.name).exists():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, fresh / path.name, symlinks=True, copy_function=_link_or_copy)
        else:
            _link_or_copy(path, fresh / path.name)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    """Put a file at a second place: by a link where both are on one disk."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
