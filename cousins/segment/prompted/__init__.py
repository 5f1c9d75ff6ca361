"""Segmentation with a promptable mask model: prompts from geometry, masks on keyframes, consensus over all views."""
