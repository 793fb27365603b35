"""Datasets of episodes on disk, ours and others': LeRobot and RLDS, read only.

`episode_set` is what every kind of dataset gives, one folder or file a kind beside it. Recording
demonstrations, replaying and training take episodes from here.
"""
