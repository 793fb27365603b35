"""Calibration on synthetic set-ups."""
