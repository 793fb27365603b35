"""The newest results and their history, in the types of the schema.

`snapshots` stores references without a lock; `history` keeps percentiles and points per second;
`admission` validates messages from topics; `state_views` answers in the schema's types.
"""
