"""A live source without a driver: `node` publishes what `robot_vision.capture` grabs.

`calibration_file` reads the camera's intrinsics as ROS's camera_calibration writes them.
"""
