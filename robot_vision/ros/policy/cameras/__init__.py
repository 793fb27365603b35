"""Named cameras of a policy from pixels: each with topics of its own, and a short history.

`topics` (colour and depth, paired by stamp) → `named_cameras` (what was seen, and what is wrong);
`mounts` compares where they are with where the policy learnt that they are.
"""
