"""LeRobot datasets, v3.0 and v2.1, ours and foreign ones: read-only."""

from importlib.util import find_spec

from robot_vision.core.errors import MissingDependencyError

_missing = [name for name in ("pyarrow", "av") if find_spec(name) is None]
if _missing:
    raise MissingDependencyError(
        f"datasets in LeRobot's layout need {' and '.join(_missing)}; "
        "install them: pip install 'robot_vision[dataset]'"
    )
