"""Sample digital cousins of a twin.

In: a twin, a recipe and a seed. Out: cousins, each a set of parameters over a library of assets, with a measured
distance to the twin on each axis. Cousin `i` does not depend on how many cousins are sampled.
"""
