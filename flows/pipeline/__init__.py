"""What the pipeline does, stage by stage.

In: what a user asked for. Out: a published scene or pack, and what it cost.
"""
