"""Packs: twin and cousins as one immutable, content-addressed bundle."""
