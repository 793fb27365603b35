"""The node `console`: fills the console's snapshots from topics, or from a node in this process.

`topics` subscribes while there are viewers, `images` and `refusals` check messages, `commander`
sends instructions and enables. Pages and API are in `robot_vision.console`, which knows no ROS.
"""
