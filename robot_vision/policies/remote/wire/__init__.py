"""Bytes on the wire: arrays as the protocols encode them, read within bounds, never pickle."""
