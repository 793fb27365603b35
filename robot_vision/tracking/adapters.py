"""Trackers of the `trackers` library (Roboflow, Apache-2.0) behind our interface.

They know boxes and scores only: positions, velocities and sizes stay NaN, and tracks are
reported in the frames in which they are detected.
"""
