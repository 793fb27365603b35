"""What the policy node receives, apart from named cameras.

`robot_inputs` (arm, instruction, heartbeat; `arm_description` reads the URDF) and
`perception_topics` (a perception node in another process; `perceptions` turns its messages into
perceptions). `measured_depth` and `frozen_camera` refuse frames that the arm must not follow.
"""
