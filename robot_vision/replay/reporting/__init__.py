"""What a replay did and whether that is right: figures, digest, golden files, drift, HTML.

`replay_summary` gathers frame by frame in bounded memory; `golden` and `drift` compare with an
earlier replay, `compare` two sets of replays; `verdict` is the table and the exit status.
"""
