"""The pages before what strangers may publish: they show it as text, and complain of nothing."""

import json
from typing import Any

from browser_rig import opened, wait_for_text
from console_rig import HeardCommander, console_rig

from robot_vision.console.state.admission import admit_diagnosis, admit_objects, admit_status

MARKUP = "<img src=x onerror=alert(1)>"
ROW = {
    "id": 1,
    "class": MARKUP,
    "score": 2e8,
    "state": "confirmed",
    "age_s": -1,
    "unseen_s": 1e300,
}


def test_pages_bear_whatever_topics_say(chromium: Any) -> None:
    with console_rig(commander=HeardCommander()) as rig:
        rig.feeder.stop()
        for name in ("", "perception: model", "perception: inputs", MARKUP, "x" * 10_000):
            values = [("rgb_hz", "1e999"), ("memory_rss_mb", MARKUP), (f"dropped: {MARKUP}", "1")]
            diagnosis, unusable = admit_diagnosis("error", name, MARKUP, values)
            rig.snapshots.diagnosed([diagnosis])
            rig.snapshots.could_not_use("/diagnostics", unusable)
        hostile = {"action": [1e8], "pose": [[None]], "late": MARKUP, "interventions": {MARKUP: 9}}
        hostile |= {"reasons": [MARKUP] * 50, "instruction": MARKUP, "target_id": -(2**60)}
        status, _, _ = admit_status(json.dumps({"enabled": True, "holding": True, **hostile}))
        rig.snapshots.policy_said(status)
        far = {**ROW, "position_m": [1e9, -1e9, 1e9], "size_m": [1e9, 0, -1], "outline_px": [[]]}
        flat = {**ROW, "id": -5, "box_xyxy_px": [1e9, 1e9, -1e9, 0], "outline_px": [[[1e9, 0]]]}
        objects = {"stamp_ns": 1, "frame_id": MARKUP, "age_ms": 1e300, "model": MARKUP}
        objects |= {"stage_ms": {MARKUP: 1e300}, "objects": [far, flat, flat]}
        view, _ = admit_objects(json.dumps(objects))
        with opened(chromium, rig.url) as page:
            wait_for_text(page, "#diagnostics", "not understood and shown as unknown")
            for _ in range(5):
                rig.snapshots.saw_objects(view, stage_s={MARKUP: 1e297, "age": 1e297}, age_s=-1e9)
                rig.snapshots.policy_said(status)
                page.wait_for_timeout(200)
            wait_for_text(page, "#objects", MARKUP)
            wait_for_text(page, "#diagnostics", MARKUP)
            assert page.locator("img").count() == 0
