"""Clients of policy servers: one protocol per file, registered in `client.CLIENTS`."""
