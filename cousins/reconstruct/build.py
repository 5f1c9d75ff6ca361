"""Build an interactive asset from a watertight shape: texture, collision pieces, mass and friction."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.spatial import ConvexHull

from cousins.capture.captures import Capture
from cousins.geometry import Array, invert, rigid, rotation_about
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Link
from cousins.reconstruct.collision.decimate import decimate_mesh
from cousins.reconstruct.collision.decomposition import CollisionConfig, decompose
from cousins.reconstruct.materials import material_for
from cousins.reconstruct.shape import ReconstructedShape
from cousins.reconstruct.surface.unseen import GUESSED_CLOSURE
from cousins.reconstruct.texture.baking import bake_texture
from cousins.segment.segments import Segment

VOLUME_ERROR = 0.15
"""Relative error of a reconstructed volume; it widens the interval of a mass."""
GUESSED_VOLUME_FACTOR = 2.3
"""Factor within which a volume is known whose unseen side is a guess: two thirds of those in simulated single views."""


def build_asset(
    name: str,
    shape: ReconstructedShape,
    segment: Segment,
    capture: Capture,
    *,
    rng: np.random.Generator,
    config: CollisionConfig | None = None,
) -> tuple[Asset, Array]:
    """Return an asset and its `world_from_asset`, float64 [4, 4].

    The asset's frame is upright: z up, x along the longer side of the footprint's smallest rectangle,
    origin at the centre of the bounding box.
    """
    world_from_asset = upright_frame(shape.mesh)
    asset_from_world = invert(world_from_asset)
    solid = shape.mesh.transformed(asset_from_world)
    visual = bake_texture(decimate_mesh(shape.mesh, connected=False), capture).transformed(asset_from_world)
    collision = decompose(solid, config=config, seed=int(rng.integers(2**31)))
    size = solid.vertices.max(axis=0) - solid.vertices.min(axis=0)
    material = material_for(segment.label, longest_side_m=float(size.max()))
    mass, center, inertia = mass_properties(
        solid,
        material.density_kg_m3,
        scale_error=capture.scale.error,
        volume_factor=GUESSED_VOLUME_FACTOR if GUESSED_CLOSURE in shape.completions else 1.0,
    )
    areas = shape.mesh.to_trimesh().area_faces
    link = Link(
        name="body",
        visual=visual,
        pieces=collision.pieces,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )
    asset = Asset(
        name=name,
        label=segment.label,
        label_source=segment.label_source,
        label_score=segment.label_score,
        links=(link,),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=size,
        observed_area_m2=float(areas[shape.observed].sum()),
        completed_area_m2=float(areas[~shape.observed].sum()),
        completions=shape.completions,
        fallbacks=shape.fallbacks + collision.fallbacks,
    )
    return asset, world_from_asset


def upright_frame(mesh: Mesh) -> Array:
    """Return `world_from_asset` [4, 4] of a world-frame mesh: yaw in (-90°, 90°] by its smallest rectangle."""
    outline = mesh.vertices[ConvexHull(mesh.vertices[:, :2]).vertices, :2]
    edges = np.roll(outline, -1, axis=0) - outline
    angles = np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2.0), 6))
    rectangles = []
    for angle in angles:
        turned = outline @ rotation_about(np.array([0.0, 0.0, 1.0]), -angle)[:2, :2].T
        rectangles.append(turned.max(axis=0) - turned.min(axis=0))
    best = int(np.argmin(np.round(np.prod(rectangles, axis=1), 9)))
    yaw = angles[best] + (np.pi / 2.0 if rectangles[best][1] > rectangles[best][0] else 0.0)
    yaw = yaw - np.pi if yaw > np.pi / 2.0 else yaw
    pose = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), yaw))
    local = mesh.vertices @ pose[:3, :3]
    pose[:3, 3] = pose[:3, :3] @ ((local.min(axis=0) + local.max(axis=0)) / 2.0)
    return pose


def mass_properties(
    mesh: Mesh, density_kg_m3: Quantity, *, scale_error: float = 0.0, volume_factor: float = 1.0
) -> tuple[Quantity, Array, Array]:
    """Return mass, centre of mass [3] [m] and inertia about it [3, 3] [kg m²] of a watertight mesh.

    Uniform density; exact integrals over the mesh (Mirtich 1996, as in trimesh). The mass interval is
    the density's, widened by the volume's error, by three times the relative error of a length, and by the factor
    within which the volume is known.
    """
    solid: trimesh.Trimesh = mesh.to_trimesh()
    volume = float(solid.volume)
    wide = float(np.hypot(VOLUME_ERROR, 3.0 * scale_error))
    mass = Quantity(
        value=volume * density_kg_m3.value,
        low=volume * density_kg_m3.low * max(0.0, 1.0 - wide) / volume_factor,
        high=volume * density_kg_m3.high * (1.0 + wide) * volume_factor,
        source=density_kg_m3.source,
    )
    solid.density = density_kg_m3.value
    inertia = np.asarray(solid.moment_inertia, dtype=np.float64)
    return mass, np.asarray(solid.center_mass, dtype=np.float64), (inertia + inertia.T) / 2.0
