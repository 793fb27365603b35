"""Procedural RGB-D tabletops with exact ground truth: training sets and recordings (MuJoCo)."""
