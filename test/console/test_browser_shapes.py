"""Skeletons and oriented boxes as the console's page draws them over a picture."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser_rig import opened
from console_rig import ConsoleRig, HeardCommander, console_rig

DRAWN = """async (row) => {
  const { drawMarks } = await import("/static/marks.js");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [200, 200];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  drawMarks(context, [row], { scale: 0.5, shown: new Set(["boxes"]), bones: [[0, 1], [0, 2]] });
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];
  const covered = (x, y) => [...context.getImageData(x - 2, y - 2, 5, 5).data].some((v) => v > 0);
  return {
    nose: at(50, 20), left: at(70, 20), bone: at(60, 20), unsure: covered(50, 60),
    end: covered(135, 135), corner: covered(75, 75),
  };
}"""
LEFT, MIDDLE = [86, 180, 233], [255, 255, 255]


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig(fps=10, commander=HeardCommander()) as made:
        yield made


def row(**shapes: Any) -> dict[str, Any]:
    box = {"id": 3, "class": "person", "score": 0.9, "box_xyxy_px": [150, 150, 250, 250]}
    return box | {"keypoints": None, "oriented_box": None} | shapes


def test_keypoints_and_turned_boxes_are_drawn_where_they_are(
    chromium: Any, rig: ConsoleRig
) -> None:
    points = [
        {"name": "nose", "xy_px": [100, 40], "score": None},
        {"name": "left_eye", "xy_px": [140, 40], "score": 0.9},
        {"name": "right_eye", "xy_px": [100, 120], "score": 0.1},
        {"name": "left_ear", "xy_px": None, "score": None},
    ]
    turned = {"center_px": [200, 200], "size_px": [200, 20], "angle_rad": 0.7853981634}
    with opened(chromium, f"{rig.url}/analyze") as page:
        drawn = page.evaluate(DRAWN, row(keypoints=points, oriented_box=turned))
        assert (drawn["nose"], drawn["left"], drawn["bone"]) == (MIDDLE, LEFT, LEFT)
        assert drawn["end"]  # of the long side, at (100 + 35) px
        assert not drawn["unsure"]
        plain = page.evaluate(DRAWN, row())
        assert plain["corner"]
        assert not plain["end"]
