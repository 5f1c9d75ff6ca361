"""Where the objects of a cousin stand.

In: a twin's layout plan and drawn numbers. Out: poses that keep its relations, and the goals of its tasks.
"""
