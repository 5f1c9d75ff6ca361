"""Robots of other people, as URDF or MJCF files, read as bodies: links, limits, hands, tips and home poses."""
