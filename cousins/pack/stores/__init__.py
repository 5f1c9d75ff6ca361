"""Where packs are kept: one file a back-end."""
