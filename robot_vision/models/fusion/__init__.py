"""Ways of fusing pictures, depth, state and words: a file each that registers itself.

`fusion` is the interface: tokens by modality in, a summary and tokens out.
"""
