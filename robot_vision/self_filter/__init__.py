"""The robot is no thing: its links are drawn where they are, and kept out of what is seen.

`meshes` reads files, `solids` makes convex bodies of a URDF's shapes, `own_links` says which links
are the robot's, `drawing` draws them into a picture, `removal` takes detections and depth away.
"""
