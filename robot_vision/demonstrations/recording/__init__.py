"""Turns asynchronous topics into samples of an episode. No ROS, no clock."""
