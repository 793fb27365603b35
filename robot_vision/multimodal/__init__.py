"""Models that answer questions about pictures, asked the same and judged by the pictures' truth.

`pictures` (what is shown, and what is in it) → `questions` → `answerers/` (a kind of model a file)
→ `run` → `judging` → `results` (on disk) → `report` (HTML); the console reads `results`.
"""
