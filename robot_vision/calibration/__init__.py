"""Calibration from pictures of a board: lenses, and the pose of a camera on or beside an arm.

`boards/` describes the board and finds it in a picture; `views` and `view_folder` join pictures
with tool poses. `verdict` checks views (`view_checks`), has `fitting/hand_eye` fit them (`start`
by `closed_form`, `refinement` of `reprojection`) and judges; `fitting/intrinsics` does so for a
lens. `fit_picture` draws, `hand_eye_file` writes. No ROS.
"""
