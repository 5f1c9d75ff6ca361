"""Layout of a scene: support structures, rest poses, overlap repair and relations.

In: placed assets and planes, as scanned. Out: a `Scene` whose objects are upright, apart and on their supports, with
the relations between them.
"""
