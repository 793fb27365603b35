"""Boards: description, picture, corners, pose."""
