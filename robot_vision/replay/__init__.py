"""Recordings through the live pipeline, in order and bit for bit the same each time; no ROS.

`reading` (files become frames) → `running` (frames through the pipeline) → `reporting` (figures,
golden files, verdicts) and `writing` (MCAP, tables, pictures); `jobs` join them, for one recording
or many. Each room imports only those before it.

The package can be called: `robot_vision.replay(recording)` is `jobs.from_python.replay`. Whatever
imports a module of this package binds the name `robot_vision.replay` to it.
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from robot_vision.replay.jobs.from_python import replay

        return replay(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
