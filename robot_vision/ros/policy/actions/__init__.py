"""Commands as goals of control_msgs' actions.

`goals` (of one action, without a type of ROS) ← `action_outputs` (control_msgs, where asked for).
"""
