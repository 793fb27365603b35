"""The node `perception`: camera topics in; features, depth, objects and an overlay out.

`inputs` (callbacks store and pair) → `worker` (the one thread that works) → `frames` (decodes) →
`robot` (where the frame has it) → `Pipeline` → `outputs` (a message is made only for subscribers)
and `listeners` (in this process), as `segments` is: what is pointed at, in a thread of its own.
`diagnostics` puts the figures into words; `node` is its life cycle.
"""
