"""Live pictures from a webcam, a stream or a video file: the newest frame wins.

`address` validates sources, `live_source` runs a child process (`grab_child`) and restarts it on
failure. No ROS here; `ros/source` publishes the frames.
"""
