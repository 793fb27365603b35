"""Segmentation of anything by prompts (SAM and its kin): `Segmenter`, no torch, no ROS.

`prompt` (what is meant) → `picture` (the encoder's input) → `segmenter` (two ONNX graphs, whose
tensors `pairs/` knows) → `masks` (in the picture's pixels). `everything` asks without a prompt,
`holding` keeps what was meant on a live stream, `requests` and `answers` are its JSON.
"""
