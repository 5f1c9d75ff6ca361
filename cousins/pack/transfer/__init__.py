"""Packs between a folder and a store.

In: a pack folder or a reference such as `demo:v1@https://host/path`. Out: the pack pushed, or pulled whole or in part
through a verified local cache. One store per file in `cousins/pack/stores/`.
"""
