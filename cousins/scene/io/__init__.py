"""Files of a scene folder, read strictly and written with fixed bytes.

In: scenes, looks, relations and meshes. Out: `scene.json` and OBJ files, and the values read back from them.
"""
