"""Segments in single views: how many are right, and the training of the network that joins pieces to them."""
