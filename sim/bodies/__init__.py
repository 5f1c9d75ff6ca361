"""Bodies: what acts in a world."""

from sim.bodies.body import Body, Drive
from sim.bodies.named import build, names

__all__ = ["Body", "Drive", "build", "names"]
