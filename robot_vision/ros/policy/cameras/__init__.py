"""Named cameras of a policy from pixels: each with topics of its own, and a short history.

`topics` (colour and depth, paired by stamp) → `policy_cameras` (recent images and problems);
`mounts` compares the cameras' places with those in training.
"""
