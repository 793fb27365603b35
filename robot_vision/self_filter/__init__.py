"""Removes the robot from what is seen: its links are drawn at their poses and masked out.

`meshes` reads files, `solids` turns a URDF's shapes into convex bodies, `own_links` decides which
links are the robot's, `drawing` draws them into a picture, `removal` drops their detections and
depth.
"""
