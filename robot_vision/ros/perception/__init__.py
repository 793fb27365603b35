"""The node `perception`: camera topics in; features, depth, objects and an overlay out.

`inputs` (callbacks store and pair images, `frames` decodes them) → `worker` (the one thread that
works) → `Pipeline` → `outputs` (messages are made for subscribers only) and `listeners` (in this
process); `segments`, one of them, answers prompts in a thread of its own. `node` is the life
cycle, `configured` and `active` what it holds meanwhile; `diagnostics` reports.
"""
