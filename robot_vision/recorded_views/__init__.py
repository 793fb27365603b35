"""Extracts calibration pictures from recordings: those taken at rest, with the tool's poses.

`pictures` reads images and intrinsics, `tool_poses` the arm's poses, `take` chooses and writes
the folder that `calibration/view_folder.py` reads.
"""
