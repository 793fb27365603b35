"""Recordings, videos and folders of images become frames: ordered, paired, with intrinsics.

`containers/` read one format each, front to back, intact or damaged → `recording` → `ordering` →
`bag` (TF, pairing; `choice` and `discovery` find the topics). `folders/` has videos and folders of
images; `sources` chooses by path. All of them yield `frames`, decoded lazily.
"""
