"""A live source without a driver: `node` publishes what `robot_vision.capture` grabs.

`calibration_file` reads intrinsics as written by ROS's camera_calibration.
"""
