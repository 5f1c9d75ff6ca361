"""Render meshes to images: a deterministic z-buffer rasteriser and diffuse shading."""

from cousins.raster.looks import ShadingData, prepare_shading
from cousins.raster.scan import Raster, render
from cousins.raster.shade import ShadingLight, shade

__all__ = ["Raster", "ShadingData", "ShadingLight", "prepare_shading", "render", "shade"]
