"""Promptable segmentation (SAM and its relatives): `Segmenter`, no torch, no ROS.

`prompt` (the target) → `picture` (the encoder's input) → `segmenter` (two ONNX graphs, whose
tensors `pairs/` knows) → `masks` (in the picture's pixels). `everything` needs no prompt,
`live/` follows targets on a stream: `holding`, and `requests` and `answers` as JSON.
"""
