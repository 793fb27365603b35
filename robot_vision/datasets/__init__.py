"""Datasets of episodes on disk, ours and others': LeRobot and RLDS, read only.

`episode_set` is the interface of every kind of dataset, with one folder or file per kind.
Recording demonstrations, replaying and training read episodes through it.
"""
