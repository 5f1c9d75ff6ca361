"""How stages are carried out.

In: stages and their inputs. Out: references to results in the store, by content; in this process and a second one,
with progress, memory use and atomic publishing.
"""
