"""What a prompt's words become, for models that are asked by words; no torch, no ROS."""
