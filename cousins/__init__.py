"""Real to sim to real with digital cousins: from a phone scan to physics-ready worlds."""

__version__ = "0.1.0"
