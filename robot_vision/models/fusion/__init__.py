"""Fusions of pictures, depth, state and words; each is a file that registers itself.

`fusion` is the interface: tokens by modality in, a summary and tokens out.
"""
