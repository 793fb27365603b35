"""ROS arguments, in which the command line overrides parameter files.

rcl merges parameters by the patterns of node names (`/**`, `/**/policy`), in the order in which
each pattern first appears. A `-p name:=value` belongs to the pattern `/**`, so that a file that
begins with `/**:` and continues with `/**/policy:` silently overrides it. Here every `-p` is
repeated under patterns of its own, which match the same nodes and come last.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

_FLAGS = ("-p", "--param")


@contextmanager
def command_line_last(ros_args: Sequence[str]) -> Iterator[list[str]]:
    """`ros_args` in which every `-p` wins; rclpy must read them before this context ends."""
    text = _as_file(ros_args)
    with TemporaryDirectory(prefix="robot_vision_") as folder:
        file = Path(folder) / "command_line.yaml"
        file.write_text(text, encoding="utf-8")
        last = ["--ros-args", "--params-file", str(file)] if text else []
        yield [*ros_args, *last]


def _as_file(ros_args: Sequence[str]) -> str:
    """Parameters of all nodes first, then those of one, each in the order given."""
    by_pattern: dict[str, list[str]] = {}
    for flag, rule in pairwise(ros_args):
        name, given, value = rule.partition(":=")
        if flag not in _FLAGS or not given:
            continue
        node, _, name = name.rpartition(":")
        # `**` stands for any number of names: two of them match the same nodes as one.
        pattern = f"/**/**/{node.lstrip('/')}" if node else "/**/**"
        by_pattern.setdefault(pattern, []).append(f"    {name}: {value}\n")
    patterns = sorted(by_pattern, key=len)
    return "".join(
        f"{pattern}:\n  ros__parameters:\n{''.join(by_pattern[pattern])}" for pattern in patterns
    )
