"""Conversion between ROS messages and the core's types: the only place for it.

Pure functions, and writers that reuse their message. Names and QoS of topics are elsewhere.
"""
