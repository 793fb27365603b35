"""Pictures for a calibration out of recordings: those taken at rest, with the tool's poses.

`pictures` reads images and intrinsics, `tool_poses` where the arm stood, `take` chooses and writes
the folder that `calibration/view_folder.py` reads.
"""
