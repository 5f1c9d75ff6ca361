"""Assets that may stand in the place of a twin's objects.

In: the twin's assets, families and the user's own library. Out: variants, each proven to afford what the object does.
"""
