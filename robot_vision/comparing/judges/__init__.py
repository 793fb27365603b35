"""How bundles of a task are judged on a set: a file each, which registers its judge."""
