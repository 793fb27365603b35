"""The node `console`: fills the console's snapshots from topics, or from a node in this process.

`topics` listens while somebody looks, `images` and `refusals` check what comes, `commander` sends
words and enables. The pages and the API are in `robot_vision.console`, which knows no ROS.
"""
