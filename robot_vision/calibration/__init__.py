"""Calibration from pictures of a board: lenses, and the pose of a camera on or beside an arm.

`board`, `board_picture`, `board_file` describe the board; `sight` finds it in a picture; `views`
and `view_folder` join pictures with tool poses. `verdict` checks views (`view_checks`), has
`hand_eye` fit them (`start` by `closed_form`, `refinement` of `reprojection`) and judges;
`intrinsics` does so for a lens. `fit_picture` draws, `hand_eye_file` writes. No ROS.
"""
