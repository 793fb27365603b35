"""What every node is made of: parameters, life cycle, executor, figures, an even stream.

Knows messages and the middleware, and no node.
"""
