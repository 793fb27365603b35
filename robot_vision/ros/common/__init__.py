"""Parts of every node: parameters, life cycle, executor, figures, an even stream.

Knows messages and the middleware, but no node.
"""
