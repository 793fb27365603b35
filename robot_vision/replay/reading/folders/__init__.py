"""Folders of images and video files as sources of frames."""
