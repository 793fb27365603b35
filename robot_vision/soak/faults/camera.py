"""Faults of the camera: silent, frozen, unreadable, with impossible optics or stamps."""

from array import array
from collections.abc import Iterator
from random import Random

from robot_vision.soak.checks.changes import each, frozen, nothing, shifted, unstamped
from robot_vision.soak.fault import Message, Rig, fault

# `watchdog.perception_s`, plus a frame in progress.
SILENCE_S = 0.7


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_silent(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """No colour images arrive."""
    with rig.changed("rgb", nothing):
        yield


@fault(1.6, 3.0, must_hold=True, known_after_s=SILENCE_S + 0.3)
def camera_frozen(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Colour and depth repeat the same picture with fresh stamps."""
    with rig.changed("rgb", frozen("data")), rig.changed("depth", frozen("data")):
        yield


@fault(0.5, 3.0)
def camera_black(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Colour is black."""

    def edit(message: Message) -> None:
        message.data = array("B", bytes(len(message.data)))

    with rig.changed("rgb", each(edit)):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_bad_encoding(rig: Rig, random: Random) -> Iterator[None]:
    """Images declare an unknown encoding, or one that needs more data than they have."""
    encoding = random.choice(("no such", "32FC7", "", "rgba16"))

    def edit(message: Message) -> None:
        message.encoding = encoding

    with rig.changed("rgb", each(edit)):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_truncated(rig: Rig, random: Random) -> Iterator[None]:
    """Images have less data than their size requires."""
    share = random.uniform(0.0, 0.9)

    def edit(message: Message) -> None:
        message.data = message.data[: int(share * len(message.data))]

    with rig.changed("rgb", each(edit)):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_claims_to_be_huge(rig: Rig, random: Random) -> Iterator[None]:
    """Images claim to have billions of pixels."""
    side = random.choice((10**5, 2**31, 2**32 - 1))

    def edit(message: Message) -> None:
        message.width = message.height = side
        message.step = min(3 * side, 2**32 - 1)

    with rig.changed("rgb", each(edit)):
        yield


@fault(0.5, 3.0)
def camera_info_impossible(rig: Rig, random: Random) -> Iterator[None]:
    """A focal length of 1e300 px, NaN, or 1e-300 px."""
    focal = random.choice((1e300, 1e-300, float("nan"), float("inf"), -500.0))

    def edit(message: Message) -> None:
        message.k = [focal, 0.0, 320.0, 0.0, focal, 240.0, 0.0, 0.0, 1.0]

    with rig.changed("camera_info", each(edit)):
        yield


@fault(0.5, 3.0)
def camera_info_zeros(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The camera is not calibrated."""

    def edit(message: Message) -> None:
        message.k = [0.0] * 9

    with rig.changed("camera_info", each(edit)):
        yield


@fault(0.5, 3.0)
def depth_silent(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """No depth images arrive."""
    with rig.changed("depth", nothing):
        yield


@fault(0.5, 3.0)
def depth_late(rig: Rig, random: Random) -> Iterator[None]:
    """Depth is .05 to .5 s older than its colour image."""
    with rig.changed("depth", shifted(-random.uniform(0.05, 0.5))):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_without_stamps(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Colour has stamp 0."""
    with rig.changed("rgb", unstamped):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_in_the_future(rig: Rig, random: Random) -> Iterator[None]:
    """Pictures are stamped an hour or ten seconds ahead."""
    ahead = shifted(random.choice((10.0, 3600.0)))
    with rig.changed("rgb", ahead), rig.changed("depth", ahead):
        yield


@fault(1.2, 3.0, must_hold=True, known_after_s=SILENCE_S)
def camera_in_the_past(rig: Rig, random: Random) -> Iterator[None]:
    """Stamps of pictures go back by seconds."""
    back = shifted(-random.uniform(2.0, 100.0))
    with rig.changed("rgb", back), rig.changed("depth", back):
        yield
