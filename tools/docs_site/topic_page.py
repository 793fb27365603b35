"""`docs/topics.md`: topics and services of every node, read from the code that makes them.

`python tools/docs_site/topic_page.py > docs/topics.md`; a test compares the two. Topics and their
purpose come from the tables in `robot_vision/topics/`, and what these leave to code from the calls
in `robot_vision/ros/` that publish, subscribe and serve. Words for the latter are in
`topic_words.yaml`, which names them all, and pages to read on.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robot_vision.topics import policy_table
from robot_vision.topics.table import TOPICS

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(__file__).with_name("topic_words.yaml")
NODES = {"perception": "perception", "policy": "policy", "robot_sim": "simulation"}
"""Nodes and their folders below `robot_vision/ros/`."""
OUTPUT, INPUT, SERVICE = "output", "input", "service"
_TITLES = {INPUT: "subscribes to", SERVICE: "service", OUTPUT: "output"}
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
all are remapped as usual. Outputs are made only while somebody subscribes, and are reliable: a
subscription with default QoS receives them. Latched ones also need `transient_local` to receive
the last message. Outputs of `vision_msgs` are left out where that package is not installed; topics
that end in `/json` carry the same.
"""


class TopicsError(Exception):
    """Code and words do not name the same topics."""


@dataclass(frozen=True, kw_only=True, order=True)
class Topic:
    direction: str
    name: str
    type_name: str
    latched: bool = False
    about: str = ""


def topics_page() -> str:
    """The whole page. Raises `TopicsError` where a topic has no words, or words have no topic."""
    pages: dict[str, Any] = yaml.safe_load(WORDS.read_text())
    see, parts = pages.pop("see"), [_HEAD]
    for node in NODES:
        topics, words = topics_of(node), pages[node]
        order = list(words)
        unknown, undescribed = _compared(topics, words)
        if unknown or undescribed:
            raise TopicsError(
                f"{node}: without words in {WORDS.name}: {undescribed}; without code: {unknown}"
            )
        parts.append(f"## {node}\n")
        for direction in (INPUT, SERVICE, OUTPUT):
            rows = [topic for topic in topics if topic.direction == direction]
            rows.sort(key=lambda topic: -1 if topic.about else order.index(topic.name))
            if rows:
                parts.append(f"| {_TITLES[direction]} | type | |\n|---|---|---|")
                parts += [_row(t, t.about or words[t.name], see.get(t.name, "")) for t in rows]
                parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _compared(topics: list[Topic], words: dict[str, str]) -> tuple[list[str], list[str]]:
    """Names that words are given to in vain, and names without words."""
    plain = {topic.name for topic in topics if not topic.about}
    return sorted(set(words) - plain), sorted(plain - set(words))


def topics_of(node: str) -> list[Topic]:
    """Every topic and service of a node, each once; those of its table first, in its order."""
    found = {(topic.direction, topic.name): topic for topic in _of_tables(node)}
    called = set(_called(ROOT / "robot_vision/ros" / NODES[node]))
    called |= {
        Topic(direction=INPUT, name=name, type_name=type_name)
        for name, type_name in _BY_VARIABLE.get(node, {}).items()
    }
    for topic in sorted(called):
        found.setdefault((topic.direction, topic.name), topic)
    return list(found.values())


def _of_tables(node: str) -> Iterator[Topic]:
    if node == "perception":
        for row in TOPICS:
            if row.live:
                yield _topic_of(OUTPUT, f"~/{row.name}", row)
    if node == "policy":
        for row in policy_table.INPUTS:
            yield _topic_of(INPUT, row.name, row)
        for row in policy_table.OUTPUTS:
            yield _topic_of(OUTPUT, row.name, row)


def _topic_of(direction: str, name: str, row: Any) -> Topic:
    return Topic(
        direction=direction,
        name=name,
        type_name=row.type_name.replace("/msg/", "/"),
        latched=row.quality.latched,
        about=row.about,
    )


def _row(topic: Topic, words: str, see: str) -> str:
    latched = ", latched" if topic.latched else ""
    words = words.replace("<", "&lt;")
    link = f" ([{see.partition('#')[0]}]({see}))" if see else ""
    return f"| `{topic.name}` | `{topic.type_name}`{latched} | {words}{link} |"


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
