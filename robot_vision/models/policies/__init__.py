"""Networks of policies: `pointer` (tokens in, targets and actions out) and `pixels` (cameras in,
chunks out: `pixel_*` are its inputs, `chunks` joins encoder, fusion and head).
"""
