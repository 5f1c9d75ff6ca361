"""Whether scenes and cousins hold in physics.

In: scenes and assets. Out: settled scenes, gate reports with measured values beside thresholds, affordance proofs, and
blocks of cousins that passed.
"""
