"""Folders of images and video files: which pictures they hold, and as sources of frames."""
