"""Recordings, videos and folders of images become frames: ordered, paired, with intrinsics.

`containers/` each read one front to back, whole or damaged → `recording` → `ordering` → `bag`
(TF, pairing; `choice` and `discovery` find the topics). `folders/` has videos and folders of
images; `sources` picks by path. What all of them yield is in `frames`, decoded late.
"""
