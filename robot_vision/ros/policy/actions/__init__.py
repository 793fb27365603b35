"""Commands as goals of control_msgs' actions.

`goals` (of one action, without ROS types) ← `action_outputs` (control_msgs, if configured).
"""
