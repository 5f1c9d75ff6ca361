"""A scene as OpenUSD, and rules for anyone's USD. The only place that knows pxr.

In: a `Scene`, or the path of a USD file. Out: `scene.usda` with its asset layers and `scene.usdz`; or findings, from a
child process, since a crafted file can crash the parser.
"""
