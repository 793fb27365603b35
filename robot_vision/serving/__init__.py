"""A policy bundle as a server, for robots that ask over the network.

`server` (connections, token, bounds) asks an `exchange` about each message: `own` speaks our own
protocol, `openpi` that of openpi. `robot_bundle` writes the bundle for the robot's side.
"""
