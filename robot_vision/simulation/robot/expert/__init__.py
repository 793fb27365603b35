"""A scripted expert that knows all object poses. Its next action depends only on the current
state, so it can be queried at any moment, for any task, and recovers from mishaps.

A plan is rolled out without physics: the tool follows a velocity field within limits of speed and
acceleration; held objects move with it, pushed ones ahead of it. `state` is read from the world,
`steering` chooses the next waypoint, `motion` advances the state towards it, `plan` rolls out.
"""
