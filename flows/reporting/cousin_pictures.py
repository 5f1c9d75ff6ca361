"""A small picture of a cousin, under its own lights and from its own camera where it has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.raster import Raster, ShadingLight, prepare_shading, render, shade
from cousins.raster import ShadingData as MeshLook
from cousins.scene.looks import Look
from cousins.scene.scenes import Scene, visual_meshes
from sim.synthetic.shadow_maps import shadow_maps, visibility

SIZE_PX: Final = (240, 180)
"""Width and height of a picture [px]."""
SAMPLES: Final = 2
"""Rays per pixel along each axis."""
SHADOW_PX: Final = 256
"""Size of a shadow map [px]."""
SHADOW_RIM_M: Final = 0.15
"""How far around the objects shadows fall [m]."""
GROUND: Final = 0.8
"""How much of the light from everywhere comes from below."""
FOCAL: Final = 1.5
"""Focal length of the portrait's camera, in heights of the picture."""


def picture_of(scene: Scene) -> Array:
    """Return a picture of a scene, uint8 [h, w, 3]."""
    look = scene.look or Look()
    meshes = visual_meshes(scene)
    camera, world_from_camera = _view(scene, meshes, look)
    raster = render(meshes, camera, world_from_camera)
    background = np.rint(255.0 * _srgb(np.array(look.background)))
    looks, lamp = [prepare_shading(mesh) for mesh in meshes], _lamp(look)
    lit = _lit_fraction(scene, meshes, lamp, raster, looks)
    image = shade(raster, meshes, shading_data=looks, light=lamp, visibility=lit, background=background)
    tinted = np.where((raster.body >= 0)[..., None], _tinted(image, look), image)
    width, height = SIZE_PX
    small = tinted.reshape(height, SAMPLES, width, SAMPLES, 3).mean(axis=(1, 3))
    return np.rint(small).astype(np.uint8)


def _view(scene: Scene, meshes: list[Mesh], look: Look) -> tuple[Intrinsics, Array]:
    """Return camera and pose: the look's own, widened to the picture's shape, or one that sees all objects."""
    width, height = (SAMPLES * side for side in SIZE_PX)
    if look.camera is not None:
        background_color = look.camera
        scale = min(width / background_color.width, height / background_color.height)
        fitted = background_color.scaled(round(background_color.width * scale), round(background_color.height * scale))
        camera = Intrinsics(
            width=width,
            height=height,
            fx=fitted.fx,
            fy=fitted.fy,
            cx=fitted.cx + (width - fitted.width) / 2,
            cy=fitted.cy + (height - fitted.height) / 2,
        )
        return camera, np.array(look.world_from_camera)
    points = np.concatenate([mesh.vertices for mesh in meshes[len(scene.structures) :] or meshes])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, radius = (low + high) / 2.0, float(np.linalg.norm(high - low)) / 2.0
    eye = middle + 2.6 * radius * np.array([-0.55, -0.62, 0.56])
    focal = FOCAL * height
    camera = Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)
    return camera, look_at(eye, middle)


def _lit_fraction(
    scene: Scene, meshes: list[Mesh], lamp: ShadingLight, raster: Raster, looks: Sequence[MeshLook]
) -> Array | None:
    """Return what each pixel sees of lamp and surroundings; objects and tables throw shadows.

    None without objects. Floors and walls reach farther than the maps, so they only receive.
    """
    background_color = meshes[len(scene.structures) :]
    if not background_color:
        return None
    points = np.concatenate([mesh.vertices for mesh in background_color])
    low, high = points.min(axis=0), points.max(axis=0)
    radius = 0.5 * float(np.linalg.norm(high - low)) + SHADOW_RIM_M
    tables = [light.visual for light in scene.structures if light.kind == "table"]
    maps = shadow_maps(
        [*tables, *background_color],
        np.array(lamp.direction),
        (low + high) / 2.0,
        radius,
        lamp_rays=5,
        sky_rays=9,
        size_px=SHADOW_PX,
    )
    return visibility(raster, looks, maps)


def _lamp(look: Look) -> ShadingLight:
    """Return the strongest light; the others join the light from everywhere with half their strength."""
    ambient = look.ambient
    strongest = max(look.lights, key=lambda light: light.intensity, default=None)
    if strongest is None:
        return ShadingLight(lamp=0.0, ambient=ambient * look.exposure, ground=GROUND)
    ambient += 0.5 * sum(light.intensity for light in look.lights if light is not strongest)
    x, y, z = strongest.direction
    return ShadingLight(
        direction=(-x, -y, -z),
        lamp=strongest.intensity * look.exposure,
        ambient=ambient * look.exposure,
        ground=GROUND,
    )


def _tinted(image: Array, look: Look) -> Array:
    """Return the picture in the mean colour of its lights; the raster itself knows white light alone."""
    strengths = np.array([light.intensity for light in look.lights] + [look.ambient])
    colors = np.array([light.color for light in look.lights] + [(1.0, 1.0, 1.0)])
    mean = (strengths @ colors) / max(float(strengths.sum()), 1e-9)
    linear = _linear(image / 255.0) * mean
    return np.rint(255.0 * _srgb(linear)).astype(np.uint8)


def _linear(values: Array) -> Array:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _srgb(values: Array) -> Array:
    clipped = np.clip(values, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.maximum(clipped, 1e-12) ** (1 / 2.4) - 0.055)
