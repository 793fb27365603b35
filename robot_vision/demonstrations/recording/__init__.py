"""Topics that come at their own times become samples of an episode. No ROS, no clock."""
