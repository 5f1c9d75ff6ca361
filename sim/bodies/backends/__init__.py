"""One file per body, each with a frozen `Config` and `build(config)`; its `PREFERENCE` orders bodies for a task.

A robot that the project does not ship has a field `path` in its `Config`, and declares its `CAPABILITIES`.
"""
