"""Faults drawn at random against the whole loop, and what must hold meanwhile. No ROS here."""
