"""Runs episodes of a dataset through a policy and compares its actions with a golden file.

`episodes` (rows become observations) → `answers` (the policy's actions and latency) → `golden`.
"""
