"""Parts of `twin_vs_cousins.py`: its worlds, the sums over its episodes and its report.

In: a scanned scene, and the JSON file of each finished training. Out: packs of cousins, one result and an HTML page.
"""
