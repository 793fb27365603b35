"""The node `policy`: perceptions, the arm's state and an instruction in; commands out.

`robot_inputs`, `common/camera_pose` and `perception_topics` hear → `worker` (the thread that
decides) → `commander` (controller and figures) → `outputs` and `actions`, at the even ticks of a
stream. A perception node in the same process hands its perceptions over in memory instead.
"""
