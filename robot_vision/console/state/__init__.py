"""The newest of everything, and what came before, in the words of the schema.

`snapshots` stores references without a lock; `history` keeps percentiles and points per second;
`admission` validates what topics say; `state_views` answers in the schema's types.
"""
