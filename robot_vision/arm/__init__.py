"""The robot's body, from its URDF: links with their shapes, joints with their limits.

`urdf` reads the description, `kinematics` computes the poses of its links. NumPy only; code that
looks at the arm, commands it or removes it from the picture uses this package.
"""
