"""Classes of a picture and of its pixels on the page that analyses pictures."""

from pathlib import Path
from typing import Any

import pytest
from browser_rig import DESKTOP, PHONE, low_contrasts, opened, overflow_px
from console_rig import SERVICE, console_rig, jpeg_of, perceptions
from picture_models import CLASSES, color_classifier, color_segmenter


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_classes_have_bars_and_segmentation_a_layer(
    chromium: Any, tmp_path: Path, size: Any
) -> None:
    models = {
        "classifier_model": str(color_classifier(tmp_path / "classes")),
        "segmentation_model": str(color_segmenter(tmp_path / "parts")),
    }
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(jpeg_of(perceptions()[0].frame.rgb))
    service = SERVICE.model_copy(update=models)
    with (
        console_rig(feed=False, service=service) as rig,
        opened(chromium, f"{rig.url}/analyze", size=size) as page,
    ):
        page.set_input_files("#files", str(picture))
        page.click('#tasks button[value="classification"]')
        page.click('#tasks button[value="segmentation"]')
        page.click("#go")
        page.locator("#class-bars li").first.wait_for()
        rows = page.locator("#class-bars li").all_inner_texts()
        assert {row.split("\n")[0] for row in rows} <= {*CLASSES, "none"}
        assert len(rows) >= len(CLASSES) + 1
        assert page.locator('#layers button[value="segmentation"]').is_visible()
        assert overflow_px(page) <= 0
        assert not low_contrasts(page)
