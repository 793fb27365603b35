"""Compares bundles on the same pictures: `judges/` (a file per task) → `compare` → `report`."""
