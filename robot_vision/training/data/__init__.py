"""From sets on disk to batches: `opening` and `sets` read any kind of set, `labels` and `words`
hold what it says, `caches` decodes once, `samples` and `demonstrations` make batches (`policy_*`
those of the pointing policy), `held_out` and `judging` serve exports and evaluations.
"""
