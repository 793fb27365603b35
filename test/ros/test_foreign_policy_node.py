"""A set that nobody here recorded: learnt from, exported, and led by its own pictures over DDS."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from pixel_node import pixel_node
from policy_rig import Surroundings, going
from sensor_msgs.msg import Image

pytest.importorskip("torch", reason="torch is for training and export only")

from runs import Rows

from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.export.bundle import export_run
from robot_vision.ros.messages.convert import header
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import load_recipe

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ROBOT_VISION_DATA", ROOT.parent / "shared/data"))
WIDOWX = DATA / "demonstrations/widowx_lerobot21"
EPISODE = 4
MOST_S = 0.1


@contextmanager
def replayed(around: Surroundings, dataset: Path) -> Iterator[None]:
    """Pictures of an episode on `rgb`, again and again, as often a second as they were taken."""
    publisher, ended = around.node.create_publisher(Image, "rgb", 5), Event()
    with closing(open_dataset(dataset)) as episodes:
        camera, period_s = episodes.cameras[0].name, 1 / episodes.fps
        count = episodes.lengths[EPISODE]
        pictures = [episodes.frame(EPISODE, row, camera).rgb for row in range(count)]

    def publish() -> None:
        row = 0
        while not ended.wait(period_s):
            rgb = pictures[row % count]
            height_px, width_px = rgb.shape[:2]
            stamp_ns = around.node.get_clock().now().nanoseconds
            image = Image(header=header(stamp_ns, "image_0"), height=height_px, width=width_px)
            image.encoding, image.step, image.data = "rgb8", 3 * width_px, rgb.tobytes()
            publisher.publish(image)
            row += 1

    thread = Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.skipif(not WIDOWX.is_dir(), reason=f"{WIDOWX} is not there")
def test_it_is_led_by_its_own_episodes_within_a_tenth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # the recipe names its meaning from there
    overrides = {
        "options.train_sets": [str(WIDOWX)],
        "options.cache_dir": str(tmp_path / "cache"),
        "run.steps": 20,
        "run.budget_minutes": 0,
    }
    recipe = load_recipe(ROOT / "config/recipes/demonstrations/widowx.yaml", overrides)
    train(recipe, tmp_path / "run", reporter=Rows())
    export_run(tmp_path / "run", tmp_path / "bundle")
    with pixel_node(tmp_path / "bundle") as around:
        around.frames = False
        with replayed(around, WIDOWX):
            going(around, "put carrot on plate")
            around.wait_for_status(holding=False, masked=[])
            around.wait_for(lambda: "command p50" in said(around))
            # On a busy machine not in every second.
            around.wait_for(lambda: around.latest_value("commands", "age_p50_ms") < MOST_S * 1e3)
            around.instruct("put zebra on plate")
            around.wait_until_held_for("unknown word 'zebra'")


def said(around: Surroundings) -> str:
    status = around.latest.get("policy: commands")
    return "" if status is None else status.message
