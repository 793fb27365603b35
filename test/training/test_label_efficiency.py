"""The tool that draws accuracy over the share of labels."""

import csv
import subprocess
import sys
from pathlib import Path

from picture_sets import write_folders

ROOT = Path(__file__).parents[2]


def test_it_trains_each_recipe_with_each_share_and_draws(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "colors", images=4)
    recipe = ROOT / "config/recipes/classification/simple-cnn.yaml"
    values = {
        "options.train_set": data, "options.val_set": data, "run.steps": 1,
        "run.budget_minutes": 0, "run.batch_size": 4,
    }  # fmt: skip
    settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    tool = [sys.executable, ROOT / "tools/label_efficiency.py", f"a={recipe}", f"b={recipe}"]
    shares = ["--shares", "0.5", "1", "--seeds", "3"]
    subprocess.run([*tool, *settings, *shares, "--out", tmp_path / "out"], check=True, cwd=ROOT)
    with (tmp_path / "out/label_efficiency.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["share"], row["seed"]) for row in rows] == [
        (name, share, "3") for name in "ab" for share in ("0.5", "1.0")
    ]
    assert all(0 <= float(row["value"]) <= 1 and row["figure"] == "top1" for row in rows)
    drawn = (tmp_path / "out/label_efficiency.svg").read_text()
    assert drawn.count("<circle") == 4
    assert drawn.count("<polyline") == 2
