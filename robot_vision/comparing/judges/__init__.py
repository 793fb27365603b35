"""How bundles of a task are judged on a set: one file each, which registers its judge."""
