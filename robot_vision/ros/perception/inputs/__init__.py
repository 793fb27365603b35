"""From messages to frames.

`topics` (callbacks store and pair images) with `calibrations` (camera_info, static transforms) →
`frames` (decodes a pair) → `robot` (where the robot is in the frame).
"""
