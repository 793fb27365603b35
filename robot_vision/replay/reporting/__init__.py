"""Results and verdict of a replay: figures, digest, HTML.

`replay_summary` gathers frame by frame in bounded memory; `comparison` compares it with golden
files and earlier replays, and decides pass or fail.
"""
