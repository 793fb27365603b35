"""Policies that run on another machine, behind the same interface as local ones.

`spec` (read from `policy.yaml`) → `observed` and `steps` (conversion to and from the server's
numbers) → `policy` (a decision within its time limit) → `link` (one thread that owns the
connection) → `clients/` (one protocol per file) over `wire/` (untrusted bytes, within limits).
`contract` compares what a server reports about itself with the bundle.
"""
