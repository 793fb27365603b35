"""Benchmarks models that answer questions about pictures, judged by the pictures' ground truth.

`pictures` (with their ground truth) → `questions` → `answerers/` (one file per kind of model)
→ `run` → `judging` → `results` (on disk) → `report` (HTML); the console reads `results`.
"""
