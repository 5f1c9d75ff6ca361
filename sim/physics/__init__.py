"""Physics engines behind one protocol.

Input: a `Scene`. Output: poses, velocities, joint positions and contacts while it is stepped. Each file in `backends/`
is one engine.
"""
