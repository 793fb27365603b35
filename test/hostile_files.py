"""Model files that somebody wrote to run code, and bundles around them with the right sha256."""

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.bundle_files import sha256_of

DEPTH: dict[str, object] = {
    "name": "evil",
    "task": "depth",
    "format": "depth_metric",
    "architecture": "native-s",
    "input": {"name": "images", "width_px": 8, "height_px": 4},
    "outputs": {"depth": "depth"},
}
DETECTOR: dict[str, object] = DEPTH | {
    "task": "detection",
    "format": "yolov8",
    "classes": ["cup"],
    "outputs": {},
}


class LeavesMark:
    """What a pickle of this does when it is read: it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def hostile_pickle(file: Path, marker: Path, *, protocol: int) -> Path:
    file.write_bytes(pickle.dumps(LeavesMark(marker), protocol))
    return file


def hostile_program(file: Path, marker: Path) -> Path:
    """A program of `torch.export`, sound but for its sample inputs, which torch unpickles."""
    import torch

    class Brightness(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=1, keepdim=True)

    sound, evil = io.BytesIO(), io.BytesIO()
    torch.export.save(torch.export.export(Brightness(), (torch.zeros(1, 3, 4, 8),)), sound)
    torch.save(((LeavesMark(marker),), {}), evil)
    with zipfile.ZipFile(sound) as archive, zipfile.ZipFile(file, "w") as written:
        for name in archive.namelist():
            is_sample = "sample_inputs" in name
            written.writestr(name, evil.getvalue() if is_sample else archive.read(name))
    return file


def bundle_around(
    file: Path, folder: Path, *, name: str = "", manifest: Mapping[str, object] = DEPTH
) -> Path:
    """A bundle as an attacker would write it: the file under `name`, with its true sha256."""
    folder.mkdir(parents=True)
    target = folder / (name or f"model{file.suffix}")
    target.write_bytes(file.read_bytes())
    described = {**manifest, "file": target.name, "sha256": sha256_of(target)}
    (folder / "model.yaml").write_text(yaml.safe_dump(described))
    ModelManifest.model_validate(described)
    return folder
