"""Measurements of speed and of accuracy beside others, one per file: `robot-vision bench …`.
Each prints a table, writes JSON and names the machine.
"""
