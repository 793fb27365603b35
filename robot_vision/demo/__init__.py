"""The demonstration: a recording through real ROS 2 topics into the node in another process."""
