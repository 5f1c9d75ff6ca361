"""Cut a surface into convex parts and join parts to objects.

In: oriented surface points with neighbours. Out: an object label for each point.
"""
