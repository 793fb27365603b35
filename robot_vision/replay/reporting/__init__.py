"""What a replay did and whether that is right: figures, digest, HTML.

`replay_summary` gathers frame by frame in bounded memory; `comparison` holds it against golden
files and earlier replays, and says pass or fail.
"""
