"""Scenes and files that benchmark programs measure on.

In: seeds and folders of scanned objects. Out: simulated tables, rooms, packs and USD files whose truth is known.
"""
