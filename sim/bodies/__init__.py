"""Bodies: robots that act in worlds, by name or by the path of a URDF or MJCF, and what they can do."""

from sim.bodies.body import Body, Drive
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds, capabilities_of
from sim.bodies.named import build, names

__all__ = ["Body", "BodyCapabilities", "BodyNeeds", "Drive", "build", "capabilities_of", "names"]
