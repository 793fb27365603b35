"""Episodes of a dataset through a policy, and its answers against a golden file.

`episodes` (rows become observations) → `answers` (what the policy said, how fast) → `golden`.
"""
