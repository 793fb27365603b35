"""Pairing by stamp: what arrives when decides what leaves with what."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.sync.pairing import Pair, Pairer

MS = 1_000_000


def pairer(**changes: object) -> Pairer[str, str]:
    return Pairer(**({"tolerance_s": 0.02, "wait_s": 0.03} | changes))  # pyright: ignore


def feed(p: Pairer[str, str], events: Sequence[tuple[str, float, float]]) -> list[Pair[str, str]]:
    """Events are (stream, stamp in ms, arrival in ms), in order of arrival; polls as it goes."""
    pairs = []
    for stream, stamp_ms, arrival_ms in events:
        stamp_ns, now_ns = round(stamp_ms * MS), round(arrival_ms * MS)
        while (until_ns := p.waiting_until_ns()) is not None and until_ns < now_ns:
            if (pair := p.poll(until_ns)) is None:
                break
            pairs.append(pair)
        if stream == "rgb":
            p.add_rgb(stamp_ns, f"rgb {stamp_ms:g}", arrival_ns=now_ns)
        else:
            p.add_depth(stamp_ns, f"depth {stamp_ms:g}")
        if (pair := p.poll(now_ns)) is not None:
            pairs.append(pair)
    return pairs


def test_depth_of_the_same_stamp_that_comes_later_is_waited_for() -> None:
    p = pairer()
    feed(p, [("depth", 0, 0), ("rgb", 0, 1)])
    (pair,) = feed(p, [("rgb", 33, 40), ("depth", 33, 45)])
    assert (pair.rgb, pair.depth, pair.reason) == ("rgb 33", "depth 33", "")


@pytest.mark.parametrize("period_ms", [33.3, 16.7, 8.3])
def test_the_frames_own_depth_is_taken_at_any_rate_though_the_last_one_is_near(
    period_ms: float,
) -> None:
    events = []
    for k in range(30):
        stamp_ms = k * period_ms
        events += [("rgb", stamp_ms, stamp_ms + 2), ("depth", stamp_ms, stamp_ms + 6)]
    pairs = feed(pairer(), events)
    assert len(pairs) == 30
    assert all(pair.depth_stamp_ns == pair.stamp_ns for pair in pairs[1:])


def test_depth_that_is_always_a_little_older_is_taken_at_once() -> None:
    p = pairer()
    for k in range(5):
        feed(p, [("depth", 33 * k - 8, 33 * k), ("rgb", 33 * k, 33 * k + 1)])
    assert p.counts["late"] == 0
    (pair,) = feed(p, [("depth", 330 - 8, 330), ("rgb", 330, 331)])
    assert pair.depth_stamp_ns == (330 - 8) * MS


def test_without_any_depth_nothing_waits() -> None:
    p = pairer()
    (pair,) = feed(p, [("rgb", 0, 0)])
    assert (pair.depth, pair.reason) == (None, "no_depth")


def test_depth_that_stops_is_waited_for_a_few_times_and_then_no_more() -> None:
    p = pairer()
    feed(p, [("depth", 0, 0), ("rgb", 0, 0)])
    delays_ms = []
    for k in range(1, 12):
        stamp_ns = 50 * k * MS
        p.add_rgb(stamp_ns, "rgb", arrival_ns=stamp_ns)
        delay_ms = 0
        while p.poll(stamp_ns + delay_ms * MS) is None:
            delay_ms += 1
        delays_ms.append(delay_ms)
    assert delays_ms[0] == 30
    assert delays_ms[-1] == 0
    assert p.counts["late"] + p.counts["no_depth"] == 11
    (again,) = feed(p, [("depth", 600, 600), ("rgb", 600, 601)])
    assert again.depth == "depth 600"


def test_depth_out_of_tolerance_is_counted_with_the_largest_distance() -> None:
    p = pairer()
    (pair,) = feed(p, [("depth", 45, 45), ("rgb", 0, 46)])
    assert (pair.depth, pair.reason) == (None, "out_of_tolerance")
    assert p.worst_offset_ns == 45 * MS


def test_newest_wins_and_the_older_one_is_counted() -> None:
    p = pairer()
    feed(p, [("depth", 0, 0), ("rgb", 0, 0)])
    (pair,) = feed(p, [("rgb", 33, 33), ("rgb", 50, 50), ("depth", 50, 51)])
    assert pair.rgb == "rgb 50"
    assert p.counts["superseded"] == 1


@pytest.mark.parametrize("first", ["rgb", "depth"])
def test_after_a_jump_back_frames_pair_with_the_depth_of_their_own_time(first: str) -> None:
    p = pairer()
    feed(p, [("depth", 10_000, 0), ("rgb", 10_000, 1)])
    second = "depth" if first == "rgb" else "rgb"
    (pair,) = feed(p, [(first, 100, 20), (second, 100, 22)])
    assert (pair.rgb, pair.depth) == ("rgb 100", "depth 100")


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, float, float]]:
    """Two streams of 5 to 60 FPS, with jitter, losses and offsets, in order of arrival."""
    events = []
    for stream in ("rgb", "depth"):
        period_ms = draw(st.floats(16, 200))
        offset_ms = draw(st.floats(-30, 30))
        delay_ms = draw(st.floats(0, 60))
        kept = draw(st.lists(st.booleans(), min_size=5, max_size=25))
        for k in (k for k, keep in enumerate(kept) if keep):
            stamp_ms = 1000 + k * period_ms + offset_ms
            events.append((stream, stamp_ms, stamp_ms + delay_ms))
    return sorted(events, key=lambda event: event[2])


@given(arrivals())
def test_every_colour_frame_leaves_once_in_order_or_is_counted(
    events: list[tuple[str, float, float]],
) -> None:
    p = pairer()
    pairs = feed(p, events)
    last = p.poll(10**15)
    pairs += [last] if last else []
    stamps = [pair.stamp_ns for pair in pairs]
    assert stamps == sorted(set(stamps))
    assert len(pairs) + p.counts["superseded"] == sum(stream == "rgb" for stream, _, _ in events)
    for pair in pairs:
        if pair.depth is None:
            assert pair.reason in ("no_depth", "late", "out_of_tolerance")
        else:
            assert pair.depth_stamp_ns is not None
            assert abs(pair.depth_stamp_ns - pair.stamp_ns) <= 20 * MS


@given(arrivals())
def test_replay_loses_no_frame(events: list[tuple[str, float, float]]) -> None:
    p = pairer(latest_only=False)
    pairs = feed(p, events)
    while (pair := p.poll(10**15)) is not None:
        pairs.append(pair)
    assert len(pairs) == sum(stream == "rgb" for stream, _, _ in events)


def test_depth_that_waits_is_bounded_in_bytes_too() -> None:
    p = pairer(depth_keep=64, depth_keep_bytes=100)
    for number in range(20):
        p.add_depth(number, f"depth {number}", size_bytes=30)
    assert p.counts["unused_depth"] == 17
    p.add_depth(20, "large", size_bytes=1000)  # one always waits
    p.add_rgb(20, "rgb", arrival_ns=0)
    pair = p.poll(0, flush=True)
    assert pair is not None
    assert pair.depth == "large"


def test_new_parameters_keep_what_waits() -> None:
    p = pairer()
    feed(p, [("depth", 0, 0), ("rgb", 0, 1)])
    assert feed(p, [("rgb", 33, 40)]) == []
    p.use(tolerance_s=0.02, wait_s=0.01)
    assert p.waiting_until_ns() == 50 * MS
    pair = p.poll(50 * MS)
    assert pair is not None
    assert (pair.rgb, pair.reason) == ("rgb 33", "late")
