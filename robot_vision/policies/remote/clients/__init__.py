"""Clients of policy servers: a protocol a file, which registers itself in `client.CLIENTS`."""
