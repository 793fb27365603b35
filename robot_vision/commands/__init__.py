"""One command of `robot-vision` per file. Light at import: what is heavy is imported when it
runs.
"""
