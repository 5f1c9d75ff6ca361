"""Assets that may replace the objects of a twin.

In: the twin's assets, families and the user's own library. Out: variants, each proven to have the affordances of the
object that it replaces.
"""
