"""Demonstrations as datasets in LeRobot's layout: written, checked, read back for training."""

from importlib.util import find_spec

from robot_vision.core.errors import MissingDependencyError

_missing = [name for name in ("pyarrow", "av") if find_spec(name) is None]
if _missing:
    raise MissingDependencyError(
        f"datasets of demonstrations need {' and '.join(_missing)}; "
        "install them: pip install 'robot_vision[dataset]'"
    )
