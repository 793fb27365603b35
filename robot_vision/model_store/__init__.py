"""Bundles of models on disk: found, verified by hash and manifest, and written (`store`;
`policies` and `segmenters` for their kinds). `bundles` has those that ship. `onnx_open` is the
only way to ONNX Runtime. No torch, no ROS.
"""
