"""Where things stand in a scene.

In: placed assets and planes, as scanned. Out: a `Scene` whose objects are upright, apart and on their supports, with
the relations between them.
"""
