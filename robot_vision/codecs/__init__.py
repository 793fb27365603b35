"""Untrusted encoded images and depth to arrays, within bounds. No ROS: the nodes and the readers
of bags decode alike.
"""
