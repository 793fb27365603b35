"""The demo: a recording, or a simulated robot, over real ROS 2 topics with the service in
another process."""
