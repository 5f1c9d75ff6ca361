"""Programs that train policies, and the peers whose environments are timed beside ours.

In: scenes and packs made by program. Out: success with intervals, or steps per second, as JSON on the last line.
"""
