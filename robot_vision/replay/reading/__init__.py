"""Recordings, videos and folders of images become frames: ordered, paired, with intrinsics.

`mcap`, `ros1` and `sqlite` each read a container front to back, whole or damaged → `recording` →
`bag` (TF, pairing; `discovery` finds the topics). `image_sources` has videos and folders;
`sources` picks by path. What all of them yield is in `frames`, decoded late.
"""
