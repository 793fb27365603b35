"""Policies that run on another machine, behind the interface of those that run here.

`spec` (what `policy.yaml` says) → `observed` and `steps` (our numbers into the server's, and back)
→ `policy` (a decision within its limit) → `link` (one thread that owns the connection) →
`clients/` (a protocol a file) over `wire/` (bytes of strangers, within bounds). `contract`
compares what a server says of itself with what the bundle says.
"""
