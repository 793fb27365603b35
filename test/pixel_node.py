"""A policy from pixels in the node, over DDS: cameras, arm and operator around it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from native_bundle import HEIGHT_PX, WIDTH_PX
from pixel_bundle import FRONT, WRIST, write_pixel_bundle
from policy_rig import Surroundings, ros_arguments, served, surroundings
from rclpy.context import Context
from sensor_msgs.msg import Image

from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.ros.messages.convert import header
from robot_vision.ros.policy.node import PolicyNode

ONE = ObservationSpec(cameras=(FRONT,), words="none")
TWO = ONE.model_copy(update={"cameras": (FRONT, WRIST), "steps": 2, "step_s": 0.1})
# 2 cm a second away from the base.
SLOWLY = (0.002, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@contextmanager
def pixel_rig(
    folder: Path,
    *,
    observation: ObservationSpec = ONE,
    base: Sequence[float] = SLOWLY,
    clock: bool = False,
    spec: dict[str, Any] | None = None,
    remappings: Sequence[str] = (),
    **parameters: Any,
) -> Iterator[Surroundings]:
    """The node alone, without perception, with a bundle that it writes to `folder`."""
    write_pixel_bundle(folder, observation=observation, base=base, spec=spec)
    with pixel_node(folder, clock=clock, remappings=remappings, **parameters) as around:
        yield around


@contextmanager
def pixel_node(
    bundle: Path, *, clock: bool = False, remappings: Sequence[str] = (), **parameters: Any
) -> Iterator[Surroundings]:
    """The node with a bundle, active or with a problem; those around it are in its namespace."""
    given = {
        "policy": bundle,
        "report_period_s": 0.2,
        "watchdog.perception_s": 1.0,
        "watchdog.robot_state_s": 1.5,
        "use_sim_time": clock,
        **{name.replace("__", "."): value for name, value in parameters.items()},
    }

    def nodes(context: Context) -> list[Any]:
        rules = [part for rule in remappings for part in ("-r", rule)]
        return [PolicyNode(context=context, cli_args=[*ros_arguments(given), *rules])]

    namespace = [rule for rule in remappings if rule.startswith("__ns:=")]
    with surroundings(clock=clock, remappings=namespace) as around, served(nodes) as made:
        around.policy = made[0]
        around.wait_for(lambda: made[0].state == "active" or made[0].problem)
        yield around


@contextmanager
def second_camera(around: Surroundings, topic: str) -> Iterator[Event]:
    """A camera of 20 Hz that is on while the event is not set."""
    publisher = around.node.create_publisher(Image, topic, 5)
    random, is_off, ended = np.random.default_rng(1), Event(), Event()

    def publish() -> None:
        while not ended.wait(0.05):
            if not is_off.is_set():
                publisher.publish(
                    Image(
                        header=header(around.node.get_clock().now().nanoseconds, "wrist"),
                        height=HEIGHT_PX,
                        width=WIDTH_PX,
                        encoding="rgb8",
                        step=3 * WIDTH_PX,
                        data=random.bytes(3 * WIDTH_PX * HEIGHT_PX),
                    )
                )

    thread = Thread(target=publish)
    thread.start()
    try:
        yield is_off
    finally:
        ended.set()
        thread.join()
