"""The canonical capture folder on disk.

In: a `Capture`. Out: the folder (`capture.json`, `rgb/`, `depth/`, `confidence/`), and the capture read back from it.
"""
