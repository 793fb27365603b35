"""Pictures from a webcam, a stream or a video file, as they come: the newest frame wins.

`address` says what may be opened, `live_source` keeps a child process grabbing (`grab_child`) and
starts another one when it fails. No ROS here; `ros/source` publishes what comes.
"""
