"""A surface cut into convex parts, and parts joined to objects.

In: oriented surface points with neighbours. Out: an object label for each point.
"""
