"""Placement of the objects of a cousin.

In: the layout plan of a twin and random numbers. Out: poses that keep the relations of the twin, and task goals.
"""
