import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from pycocotools.coco import COCO

from robot_vision.core.errors import ConfigError
from robot_vision.simulation.content.palette import CLASS_NAMES, Split, is_held_out
from robot_vision.simulation.writing.generate import SetRecipe, generate_set
from robot_vision.training.data.opening.preview import contact_sheet

# pycocotools' own, under NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def recipe(count: int, *, seed: int = 3, split: Split = "train") -> SetRecipe:
    return SetRecipe(count=count, seed=seed, split=split, width_px=160, height_px=120)


def generate(folder: Path, recipe: SetRecipe, *, processes: int = 1) -> list[int]:
    progress: list[int] = []
    generate_set(folder, recipe, processes=processes, on_progress=progress.append)
    return progress


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "recipe.json"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    assert generate(folder, recipe(12)) == [0, 5, 10, 12]
    return folder


def test_two_processes_write_the_same_bytes(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, recipe(12), processes=2)
    assert contents(tmp_path) == contents(made)


def test_an_interrupted_set_is_completed_and_no_more(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, recipe(7))
    kept = tmp_path / "rgb" / "000000.jpg"
    written_ns = kept.stat().st_mtime_ns
    (tmp_path / "parts" / "000001.json").unlink()
    (tmp_path / "rgb" / "000006.jpg").unlink()
    assert generate(tmp_path, recipe(12)) == [5, 10, 12]
    assert contents(tmp_path) == contents(made)
    assert kept.stat().st_mtime_ns == written_ns


def test_a_set_may_hold_few_objects_and_no_distractors(tmp_path: Path) -> None:
    few = replace(recipe(10), most_objects=2)
    generate(tmp_path, few)
    labels = json.loads((tmp_path / "annotations.json").read_text())
    for image in labels["images"]:
        shown = [a for a in labels["annotations"] if a["image_id"] == image["id"]]
        assert len(shown) <= 2
    assert few.content.distractors == (0, 0)
    with pytest.raises(ConfigError, match="most_objects is 2, expected None"):
        generate(tmp_path, recipe(10))


def test_a_set_from_before_this_choice_goes_on(made: Path, tmp_path: Path) -> None:
    copytree(made, tmp_path / "old")
    written = json.loads((made / "recipe.json").read_text())
    del written["most_objects"]
    (tmp_path / "old" / "recipe.json").write_text(json.dumps(written))
    assert generate(tmp_path / "old", recipe(12)) == [12]


def test_another_recipe_is_refused(made: Path) -> None:
    with pytest.raises(ConfigError, match="seed is 3, expected 4"):
        generate(made, recipe(12, seed=4))


def test_a_folder_that_cannot_be_written_is_explained() -> None:
    with pytest.raises(ConfigError, match="cannot write a set to /proc/nowhere"):
        generate(Path("/proc/nowhere"), recipe(1))


def test_pycocotools_reads_it_and_masks_fill_their_boxes(made: Path) -> None:
    coco = COCO(str(made / "annotations.json"))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(CLASS_NAMES)
    assert len(coco.imgs) == 12
    assert coco.anns
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
        assert annotation["bbox"] == pytest.approx(box)
        assert annotation["area"] == mask.sum()
    for image in coco.imgs.values():
        for key in ("file_name", "depth_file", "depth_true_file"):
            assert (made / image[key]).is_file()


def test_held_out_colors_appear_in_val_alone(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, recipe(15, split="val"))

    def held_out(folder: Path) -> list[bool]:
        content = json.loads((folder / "annotations.json").read_text())
        names = {c["id"]: c["name"] for c in content["categories"]}
        return [is_held_out(names[a["category_id"]], a["color"]) for a in content["annotations"]]

    assert not any(held_out(made))
    assert any(held_out(tmp_path))


def test_preview_shows_color_and_both_depths(made: Path) -> None:
    sheet = contact_sheet(made, first=0, frames=4, columns=2)
    assert sheet.shape == (2 * 120, 2 * 3 * 160, 3)
    assert sheet.std() > 10


def test_preview_of_no_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the set"):
        contact_sheet(tmp_path, first=0, frames=1)
