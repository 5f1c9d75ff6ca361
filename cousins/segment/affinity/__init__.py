"""Learned affinity of the pieces of one depth view.

In: pieces of surface with points, normals, colours and borders. Out: for each pair the log-odds of being one object,
and the objects that greedy joining by these log-odds gives.
"""
