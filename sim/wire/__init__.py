"""Policies over a wire: openpi's websocket protocol, as a server and as a client, with RoboArena's variant."""
