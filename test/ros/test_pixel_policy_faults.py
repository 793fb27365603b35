"""Every policy from pixels under the same faults, over DDS: it holds in time and says why.

A new fusion or head is tried as soon as it is registered, on weights drawn at random. From the
moment at which a fault can be known, two periods of the policy at most have commands that go on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from goes import measured
from held_stream import NS, STILL_M, Followed, assert_still, positions
from native_bundle import make_native_bundle
from pixel_node import pixel_node, second_camera
from policy_rig import CAMERA_POSE, Surroundings, going, perception_process

pytest.importorskip("torch", reason="torch is for training and export only")

from pixel_exports import PLACES, SEEN, STEP_S, write_exported

from robot_vision.model_store.store import find_bundle
from robot_vision.models.fusion.fusion import FUSIONS
from robot_vision.models.heads.head import HEADS

pytestmark = pytest.mark.ros

# Longest that perception may be old, or a picture the same; the time from picture to picture.
LIMIT_S, PICTURE_S = 0.4, 0.05
# Of the default run, with what else they are shown.
QUICK: dict[tuple[str, str], dict[str, Any]] = {
    ("transformer", "mlp"): PLACES,
    ("memory", "flow"): {},
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to the surroundings, and after how long it is one; `words` are of the reason.

    `end` lets the policy go on.
    """

    begin: Callable[[Surroundings], None]
    end: Callable[[Surroundings], None]
    words: tuple[str, ...]
    known_after_s: float = 0.0


def change(**values: object) -> Callable[[Surroundings], None]:
    def apply(around: Surroundings) -> None:
        for name, value in values.items():
            setattr(around, name, value)

    return apply


def set_clock(by_ns: int) -> Callable[[Surroundings], None]:
    """Without frames, so that it cannot go on in the new time before anybody has looked."""

    def apply(around: Surroundings) -> None:
        around.frames = False
        around.clock_shift_ns += by_ns

    return apply


HOUR_NS = 3600 * NS
FAULTS = {
    "killed perception": Fault(
        begin=change(frames=False),
        end=change(frames=True),
        words=("perception is", "s old"),
        known_after_s=LIMIT_S,
    ),
    "frozen camera": Fault(
        begin=change(frozen=True),
        end=change(frozen=False),
        words=("picture has not changed for",),
        known_after_s=LIMIT_S + PICTURE_S,
    ),
    "NaN actions": Fault(
        begin=change(dark=True),
        end=change(dark=False),
        words=("not finite",),
        known_after_s=PICTURE_S,
    ),
    "clock back": Fault(
        begin=set_clock(-HOUR_NS),
        end=change(frames=True),
        words=("the clock went back by",),
    ),
    "clock ahead": Fault(
        begin=set_clock(HOUR_NS),
        end=change(frames=True),
        words=("perception is", "s old"),
    ),
}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The bundle of a fusion and a head, written once."""

    @cache
    def write(fusion: str, head: str) -> Path:
        folder = tmp_path_factory.mktemp("exported")
        return write_exported(folder, fusion=fusion, head=head, **QUICK.get((fusion, head), {}))

    return write


def pairs() -> list[object]:
    """Every fusion with every head; most are slow."""
    return [
        pytest.param(
            fusion,
            head,
            id=f"{fusion}-{head}",
            marks=() if (fusion, head) in QUICK else pytest.mark.slow,
        )
        for fusion in FUSIONS
        for head in HEADS
    ]


@pytest.mark.parametrize(("fusion", "head"), pairs())
def test_it_holds_within_two_periods_and_goes_on(
    fusion: str, head: str, exported: Callable[[str, str], Path]
) -> None:
    bundle = exported(fusion, head)
    with (
        pixel_node(bundle, clock=True, watchdog__perception_s=LIMIT_S) as around,
        second_camera(around, "wrist/rgb"),
    ):
        followed = Followed(around)
        going(around, "go left")
        for name, fault in FAULTS.items():
            once = partial(went_on_s, around, followed, fault)
            assert measured(once, below=2 * STEP_S) < 2 * STEP_S, name


def test_it_holds_where_the_process_of_perception_is_killed(
    tmp_path: Path,
) -> None:
    takes = ("features", "tracks")
    front = SEEN.cameras[0].model_copy(update={"has_depth": False})
    seen = SEEN.model_copy(update={"cameras": (front,), "perception": takes})
    grid = {"features_channels": 64, "features_rows": 3, "features_columns": 4}
    perception = make_native_bundle(tmp_path / "seer", channels=64)
    bundle = write_exported(
        tmp_path / "policy",
        fusion="transformer",
        head="mlp",
        perceived_by=find_bundle(perception).manifest.model_id,
        observation=seen.model_dump(),
        **grid,
    )
    parameters = {**CAMERA_POSE, "watchdog__perception_s": LIMIT_S}
    with pixel_node(bundle, **parameters) as around:
        followed = Followed(around)
        with perception_process(perception) as process:
            going(around, "go left")
            around.wait_for_status(holding=False, masked=[])
            killed = replace(FAULTS["killed perception"], begin=lambda _: process.kill())
            assert held_after_s(around, followed, killed) < 2 * STEP_S
        around.wait_until_said("inputs", "objects: no publisher on /perception/objects/json")
        with perception_process(perception):
            around.wait_until_moving()


def went_on_s(around: Surroundings, followed: Followed, fault: Fault) -> float:
    """How long the moving arm went on in a fault, which then ends."""
    since = len(followed.published_ns)
    around.wait_for(lambda: is_moving(around, followed, since))
    late_s = held_after_s(around, followed, fault)
    fault.end(around)
    around.wait_until_moving()
    return late_s


def is_moving(around: Surroundings, followed: Followed, since: int) -> bool:
    """Whether commands that follow the policy go anywhere, `since` so many of them."""
    last_ns = followed.commands_ns()[since:][-10:]
    stamps_ns, at_m = positions(around)
    way_m = at_m[np.isin(stamps_ns, last_ns)]
    return len(way_m) > 5 and bool(np.ptp(way_m, axis=0).max() > STILL_M)


def held_after_s(around: Surroundings, followed: Followed, fault: Fault) -> float:
    """From when a fault could be known to the last command that went on, by stamps."""
    before = len(followed.published_ns)
    began_ns = around.node.get_clock().now().nanoseconds
    fault.begin(around)
    held = around.wait_until_held_for(*fault.words)
    assert_still(around, held)
    went_on_ns = followed.commands_ns()[before:]
    assert not [s for s in went_on_ns if s < began_ns - NS], "it went on in the new time"
    return (max(went_on_ns, default=began_ns) - began_ns) / NS - fault.known_after_s
