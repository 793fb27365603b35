"""Untrusted input, bounded and confined to its folder; full disks; messages of child processes."""
