"""Bundles compared on the same pictures: `judges/` (a task a file) → `compare` → `report`."""
