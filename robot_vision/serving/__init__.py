"""Serves a policy bundle to robots over the network.

`server` (connections, token, limits) passes each message to an `exchange`: `own` for our own
protocol, `openpi` for openpi's. `robot_bundle` writes the bundle for the robot's side.
"""
