"""Import all modules of a package, so that what registers itself is found and not listed."""

import importlib
import pkgutil
from functools import cache


@cache
def import_all(package: str) -> tuple[str, ...]:
    """Import all modules below `package`, in order of their names; returns those names.

    An import that fails is an error: a plug-in that is missing in silence is worse.
    """
    root = importlib.import_module(package)
    names = tuple(
        sorted(found.name for found in pkgutil.walk_packages(root.__path__, f"{package}."))
    )
    for name in names:
        importlib.import_module(name)
    return names
