"""What topics say: whatever it is, the state, the metrics and the stream go on, in valid JSON."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_rig import ConsoleRig, console_rig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter
from websockets.sync.client import connect

from robot_vision.console.schema import State
from robot_vision.console.state.admission import (
    UnusableError,
    admit_diagnosis,
    admit_objects,
    admit_status,
)

NO_NUMBERS = ["", "x", "nan", "NaN", "inf", "-Infinity", "1e999", "²", "9" * 5000, "1,5", "\ud800"]
ROW = {
    "id": 1,
    "class": "cup",
    "score": 0.5,
    "state": "confirmed",
    "position_m": [0.0, 0.0, 1.0],
    "velocity_mps": None,
    "size_m": None,
    "box_xyxy_px": [0.0, 0.0, 9.0, 9.0],
    "age_s": 1.0,
    "unseen_s": 0.0,
}
OBJECTS = {
    "stamp_ns": 1,
    "frame_id": "camera",
    "age_ms": 20.0,
    "stage_ms": {"detect": 10.0},
    "model": "m",
    "depth_source": None,
    "objects": [ROW],
    "notes": [],
}
STATUS = {"enabled": True, "holding": False, "command_hz": 100.0, "action": [0.0] * 7}


def no_constant(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


def assert_all_goes_on(rig: ConsoleRig) -> State:
    """State, metrics and stream answer, with valid JSON and valid Prometheus text."""
    answer = httpx.get(f"{rig.url}/api/state")
    assert answer.status_code == 200, answer.text
    json.loads(answer.text, parse_constant=no_constant)
    metrics = httpx.get(f"{rig.url}/metrics")
    assert metrics.status_code == 200, metrics.text
    assert list(text_string_to_metric_families(metrics.text))
    address = rig.url.replace("http", "ws") + "/api/stream"
    with connect(address, proxy=None) as stream:
        stream.send(json.dumps({"topics": {"state": 30, "metrics": 10}}))
        for _ in range(3):
            json.loads(stream.recv(10), parse_constant=no_constant)
    return State.model_validate_json(answer.text)


def say(rig: ConsoleRig, part: str, **values: str) -> int:
    """A diagnosis of the perception node, as the console's node passes it on."""
    name = f"perception: {part}"
    diagnosis, unusable = admit_diagnosis("ok", name, "words", values.items())
    rig.snapshots.diagnosed([diagnosis])
    rig.snapshots.could_not_use("/diagnostics", unusable)
    return unusable


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_figures_that_are_not_numbers_show_as_unknown(text: str) -> None:
    with console_rig() as rig:
        values = {"rgb_hz": text, "depth_hz": "29.5", "dropped: late": text, "dropped: old": "3"}
        assert say(rig, "inputs", **values) == 2
        assert say(rig, "model", memory_rss_mb=text) == 1
        state = assert_all_goes_on(rig)
        assert state.unusable == {"/diagnostics": 3}
        assert "rgb" not in state.rates_hz
        assert state.rates_hz["depth"] == 29.5
        assert [(count.cause, count.total) for count in state.drops] == [("old", 3)]
        assert state.memory.perception_mb is None
        shown = {d.name: d.values for d in state.diagnostics}
        assert shown["perception: inputs"]["rgb_hz"] == "unknown"


def test_names_and_texts_of_diagnoses_are_bounded() -> None:
    with console_rig() as rig:
        for n in range(300):
            named = {f"{n}-{k}_hz": "1" for k in range(300)}
            causes = {f"dropped: {n}-{k}\n\"'\\{{}}": "1" for k in range(50)}
            say(rig, "inputs", **causes, **named)
            other, _ = admit_diagnosis("ok", f"other {n}", "y" * 100_000, [("k", "z" * 100_000)])
            rig.snapshots.diagnosed([other])
            rig.snapshots.diagnosed([])
        say(rig, "inputs", rgb_hz="30")
        state = assert_all_goes_on(rig)
        assert len(state.diagnostics) <= 100
        assert state.rates_hz["rgb"] == 30
        text = httpx.get(f"{rig.url}/metrics").text
        assert len(text) < 100_000
        assert text.count("robot_vision_rate_hertz{") <= 70


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("command_hz", float("nan")),
        ("command_hz", "fast"),
        ("action", [float("inf")] * 7),
        ("action", [0.0] * 100_00),
        ("interventions", {"speed": -1}),
        ("interventions", {"speed": 10**400}),
        ("reasons", "one"),
        ("reasons", ["\ud800"]),
        ("pose", [[float("nan")]]),
        ("late", {"deep": [[[[[[[[[[[[1]]]]]]]]]]]]}),
        ("x" * 5000, ["y" * 5000]),
        ("instruction", "z" * 30_000),
        ("target_id", 2**80),
    ],
)
def test_a_policy_s_status_is_shown_without_what_is_wrong(field: str, value: Any) -> None:
    with console_rig(feed=False) as rig:
        status, _, _ = admit_status(json.dumps({**STATUS, field: value}))
        rig.snapshots.policy_said(status)
        state = assert_all_goes_on(rig)
        assert state.policy is not None
        assert state.policy.enabled
        assert not state.policy.holding


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "{",
        '{"enabled": true}',
        '{"enabled": 1, "holding": 0}',
        '{"enabled": "yes", "holding": false}',
        "[" * 50_000,
        '{"enabled": true, "holding": false, "x": "' + "y" * 100_000 + '"}',
    ],
    ids=str.__len__,
)
def test_a_status_that_does_not_say_whether_the_arm_holds_is_refused(text: str) -> None:
    with pytest.raises(UnusableError):
        admit_status(text)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"position_m": [float("nan"), 0, 0]}, {"position_m": None}),
        ({"position_m": [1e300, 0, 0]}, {"position_m": None}),
        ({"position_m": [1.0]}, {"position_m": None}),
        ({"size_m": "big"}, {"size_m": None}),
        ({"box_xyxy_px": [0.0] * 9}, {"box_xyxy_px": None}),
        ({"outline_px": [[[0, float("inf")]]]}, {"outline_px": None}),
        ({"keypoints": [{"name": "nose", "xy_px": [1, float("nan")]}]}, {"keypoints": None}),
        ({"keypoints": [{"xy_px": [1, 2]}]}, {"keypoints": None}),
        ({"oriented_box": {"center_px": [1, 2], "size_px": [3]}}, {"oriented_box": None}),
        ({"score": float("nan")}, None),
        ({"state": "flying"}, None),
        ({"id": "one"}, None),
    ],
)
def test_objects_are_shown_without_what_is_wrong(
    change: dict[str, Any], left: dict[str, Any] | None
) -> None:
    good = {**ROW, "id": 2}
    view, unusable = admit_objects(json.dumps({**OBJECTS, "objects": [{**ROW, **change}, good]}))
    assert unusable >= 1
    assert view.objects[-1].id == 2
    if left is None:
        assert len(view.objects) == 1
    else:
        for name, value in left.items():
            assert getattr(view.objects[0], name) == value
    json.loads(view.model_dump_json(), parse_constant=no_constant)


@pytest.mark.parametrize(
    "change",
    [
        {"stamp_ns": None},
        {"age_ms": float("nan")},
        {"stage_ms": [1]},
        {"stage_ms": {"detect": float("inf")}},
        {"objects": "none"},
        {"model": 3},
    ],
)
def test_objects_of_no_frame_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnusableError):
        admit_objects(json.dumps({**OBJECTS, **change}))


def test_many_objects_and_stages_are_bounded() -> None:
    view, _ = admit_objects(json.dumps({**OBJECTS, "objects": [ROW] * 3000}))
    assert len(view.objects) <= 1000
    with console_rig(feed=False) as rig:
        for n in range(500):
            text = json.dumps({**OBJECTS, "stage_ms": {f"stage {n}": 1.0}})
            view, _ = admit_objects(text)
            stage_s = {stage: ms / 1e3 for stage, ms in view.stage_ms.items()}
            rig.snapshots.saw_objects(view, stage_s=stage_s, age_s=0.0)
        state = assert_all_goes_on(rig)
        assert len(state.age_ms) <= 64
        assert len(httpx.get(f"{rig.url}/metrics").text) < 200_000


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from([*OBJECTS, *STATUS, *ROW]), value=JSON)
def test_any_json_is_admitted_or_refused(name: str, value: Any) -> None:
    for admit, good in ((admit_status, STATUS), (admit_objects, OBJECTS)):
        changed = {**good, name: value}
        for text in (
            json.dumps(changed),
            json.dumps({**OBJECTS, "objects": [{**ROW, name: value}]}),
        ):
            try:
                admitted, *_ = admit(text)
            except UnusableError:
                continue
            written = TypeAdapter(type(admitted)).dump_json(admitted)
            json.loads(written, parse_constant=no_constant)


def test_pages_put_no_text_of_others_into_html() -> None:
    static = Path(__file__).parents[2] / "robot_vision" / "console" / "static"
    for path in [*static.glob("*.js"), *static.glob("*.html")]:
        text = path.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, f"{path.name} uses {way}"
