"""Draws results on pictures, and plots as SVG. OpenCV only."""
