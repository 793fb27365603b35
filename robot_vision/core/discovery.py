"""Import all modules of a package, so that self-registering modules need no list."""

import importlib
import pkgutil
from functools import cache


@cache
def import_all(package: str) -> tuple[str, ...]:
    """Import all modules below `package`, in order of their names; returns those names.

    A failed import is an error: a silently missing plug-in would be worse.
    """
    root = importlib.import_module(package)
    names = tuple(
        sorted(found.name for found in pkgutil.walk_packages(root.__path__, f"{package}."))
    )
    for name in names:
        importlib.import_module(name)
    return names
