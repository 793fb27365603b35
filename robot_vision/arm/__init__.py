"""The robot's body, from its URDF: links with their shapes, joints with their limits.

`urdf` reads the description, `kinematics` says where its links are. NumPy alone; who looks at
the arm, commands it or leaves it out of the picture takes it from here.
"""
