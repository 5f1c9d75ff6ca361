"""A scene compiled for robot simulators.

In: a `Scene`. Out: URDF and MJCF text; every default that matters is written out.
"""
