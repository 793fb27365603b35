"""ROS messages become the core's types and back; the only place where their conventions meet.

Pure functions and writers that reuse their message. A topic's name and QoS are not known here.
"""
