"""Meshes to images: a deterministic z-buffer rasteriser and a simple, soft shading."""

from cousins.raster.looks import Look, look_of
from cousins.raster.scan import Raster, render
from cousins.raster.shade import Light, shade

__all__ = ["Light", "Look", "Raster", "look_of", "render", "shade"]
