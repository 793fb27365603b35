"""One tiny SAM with random weights for all tests of the package: its export takes a while."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sam_models import save_tiny_sam

from robot_vision.foundation.sam import export_sam
from robot_vision.model_store.segmenters import SegmenterBundle
from robot_vision.segment.segmenter import Segmenter


@dataclass(frozen=True, kw_only=True, eq=False)
class TinySam:
    model: Any
    folder: Path
    bundle: SegmenterBundle
    segmenter: Segmenter


@pytest.fixture(scope="session")
def tiny_sam(tmp_path_factory: pytest.TempPathFactory) -> TinySam:
    root = tmp_path_factory.mktemp("sam")
    model = save_tiny_sam(root / "folder")
    bundle = export_sam(root / "folder", root / "bundle", licence="Apache-2.0")
    return TinySam(model=model, folder=root / "folder", bundle=bundle, segmenter=Segmenter(bundle))
