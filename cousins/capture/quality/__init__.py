"""How far a capture can be trusted.

In: a `Capture`. Out: findings about its camera convention, coverage, drift and sharpness, before any work is spent.
"""
