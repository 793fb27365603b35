"""From a scene to one frame with ground truth: `look`, `viewpoint` → `render` → `sensor`, `truth`
→ `frame`. `gl` alone imports MuJoCo.
"""
