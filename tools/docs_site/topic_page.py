"""`docs/topics.md`: topics and services of every node, read from the code that makes them.

`python tools/docs_site/topic_page.py > docs/topics.md`; a test compares the two. Perception's
outputs come from `robot_vision/topics/table.py`, all others from the calls in `robot_vision/ros/`
that publish, subscribe and serve. What they mean is in `topic_words.yaml`, which names them all.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from robot_vision.topics.table import TOPICS

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(__file__).with_name("topic_words.yaml")
NODES = {"perception": "perception", "policy": "policy", "robot_sim": "simulation"}
"""Nodes and their folders below `robot_vision/ros/`."""
OUTPUT, INPUT, SERVICE = "output", "input", "service"
_MAKERS = {
    "_publisher": OUTPUT,
    "create_publisher": OUTPUT,
    "create_lifecycle_publisher": OUTPUT,
    "create_service": SERVICE,
    "create_subscription": INPUT,
    "where_latched": INPUT,
    "AnyQos": INPUT,
    "_subscribe": INPUT,
    "_hear": INPUT,
    "_listen": INPUT,
    "table": INPUT,
}
# What these subscribe to, where they do not say.
_KINDS = {"_hear": ["std_msgs/String"], "_listen": ["sensor_msgs/CameraInfo"]}
# What the code names by a variable.
_BY_VARIABLE = {
    "perception": {
        "rgb": "sensor_msgs/Image",
        "depth": "sensor_msgs/Image",
        "camera_info": "sensor_msgs/CameraInfo",
        "depth_camera_info": "sensor_msgs/CameraInfo",
    },
    "policy": {"camera_pose": "geometry_msgs/PoseStamped"},
    "robot_sim": {"policy/command/joint_trajectory": "trajectory_msgs/JointTrajectory"},
}
_HEAD = """\
# Topics and services

Written by `python tools/docs_site/topic_page.py > docs/topics.md` from the nodes' code. `~/`
stands for the node's name (`/perception/…`), names without it are relative to the namespace, and
all are remapped as usual. Outputs are made only while somebody subscribes. Outputs of
`vision_msgs` are left out where that package is not installed; topics that end in `/json` carry
the same.
"""


class TopicsError(Exception):
    """Code and words do not name the same topics."""


@dataclass(frozen=True, kw_only=True, order=True)
class Topic:
    direction: str
    name: str
    type_name: str
    latched: bool = False


def topics_page() -> str:
    """The whole page. Raises `TopicsError` where a topic has no words, or words have no topic."""
    words = yaml.safe_load(WORDS.read_text())
    parts = [_HEAD]
    for node in NODES:
        topics = {(t.direction != OUTPUT, t.name): t for t in topics_of(node)}
        names, described = {t.name for t in topics.values()}, set(words[node])
        if names != described:
            raise TopicsError(
                f"{node}: without words in {WORDS.name}: {sorted(names - described)}; "
                f"without code: {sorted(described - names)}"
            )
        parts.append(f"## {node}\n")
        order = list(words[node])
        for direction, title in (
            (INPUT, "subscribes to"),
            (SERVICE, "service"),
            (OUTPUT, "output"),
        ):
            rows = [t for t in topics.values() if t.direction == direction]
            rows.sort(key=lambda topic: order.index(topic.name))
            if rows:
                parts.append(f"| {title} | type | |\n|---|---|---|")
                parts += [_row(topic, words[node][topic.name]) for topic in rows]
                parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def topics_of(node: str) -> list[Topic]:
    """Every topic and service of a node, each once."""
    found = set(_called(ROOT / "robot_vision/ros" / NODES[node]))
    if node == "perception":
        found |= {
            Topic(
                direction=OUTPUT,
                name=f"~/{topic.name}",
                type_name=topic.type_name.replace("/msg/", "/"),
                latched=topic.quality.latched,
            )
            for topic in TOPICS
            if topic.live
        }
    for name, type_name in _BY_VARIABLE.get(node, {}).items():
        found.add(Topic(direction=INPUT, name=name, type_name=type_name))
    return sorted(found)


def _row(topic: Topic, words: str) -> str:
    latched = ", latched" if topic.latched else ""
    return f"| `{topic.name}` | `{topic.type_name}`{latched} | {words} |"


def _called(folder: Path) -> Iterator[Topic]:
    """Topics of calls such as `create_publisher(String, "~/task", LATCHED_QOS)`.

    Also of the tables that subscriptions are made from: `(Twist, "policy/command", self._take)`.
    """
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text())
        types = _message_types(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                named = [k.value for k in node.keywords if isinstance(k.value, ast.Name)]
                yield from _topic(_maker(node), [*node.args, *named], types)
            elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
                yield from _topic("table", node.elts, types)


def _maker(call: ast.Call) -> str:
    called = call.func
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _topic(maker: str, given: list[ast.expr], types: dict[str, str]) -> Iterator[Topic]:
    names = [name for part in given if (name := _text(part))]
    kinds = [types[part.id] for part in given if isinstance(part, ast.Name) and part.id in types]
    kinds = kinds or _KINDS.get(maker, [])
    if maker in _MAKERS and names and kinds:
        direction = _MAKERS[maker]
        latched = any("LATCHED" in ast.unparse(part) for part in given)
        yield Topic(
            direction=direction,
            name=names[-1],
            type_name=kinds[0],
            latched=latched and direction == OUTPUT,
        )


def _text(part: ast.expr) -> str:
    """A text; of `f"{perception}/features"` perception/features."""
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return part.value
    if isinstance(part, ast.JoinedStr):
        return ast.unparse(part)[2:-1].replace("{", "").replace("}", "")
    return ""


def _message_types(tree: ast.Module) -> dict[str, str]:
    """Names imported from packages of messages, as ROS names the types."""
    types: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and re.fullmatch(r"\w+\.(msg|srv)", node.module or ""):
            package = (node.module or "").partition(".")[0]
            types |= {(a.asname or a.name): f"{package}/{a.name}" for a in node.names}
    return types


if __name__ == "__main__":
    print(topics_page(), end="")
