"""From assets to a scene in OpenUSD, URDF and MJCF."""
