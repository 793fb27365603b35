"""The exported model in the service: frame by frame it says what torch says of the sequence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from native_bundle import make_native_bundle

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.export.graph import export_graph
from robot_vision.model_store.store import write_bundle
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.temporal.rgbd_temporal import RgbdTemporal
from robot_vision.pipeline import build_pipeline

WIDTH_PX, HEIGHT_PX, FRAMES = 96, 64, 4


@pytest.fixture(scope="module")
def model() -> RgbdTemporal:
    torch.manual_seed(0)
    card = MODELS.get("rgbd-temporal")
    built = card.build(card.tiny)
    assert isinstance(built, RgbdTemporal)
    return built.eval()


@pytest.fixture(scope="module")
def bundle(model: RgbdTemporal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    card, folder = MODELS.get("rgbd-temporal"), tmp_path_factory.mktemp("slots")
    assert card.serving
    assert card.serving.image
    size = Size(width_px=WIDTH_PX, height_px=HEIGHT_PX)
    (graph,) = card.serving.graphs(model, card.tiny, size)
    manifest = ModelManifest(
        name="slots",
        task="features",
        format=card.serving.format,
        input=card.serving.image(card.tiny, size),
        outputs=graph.outputs,
    )
    return write_bundle(folder, manifest, export_graph(graph, folder / manifest.file)).path


def test_the_service_hands_the_memory_on(
    model: RgbdTemporal, bundle: Path, tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    rgb = draw.integers(0, 256, (FRAMES, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    depth_m = draw.uniform(0.5, 1.5, (FRAMES, HEIGHT_PX, WIDTH_PX)).astype(np.float32)
    with torch.no_grad():
        expected = model.sequence(
            torch.from_numpy(rgb)[None], torch.from_numpy(depth_m)[None, :, None]
        )
        alone = model.sequence(
            torch.from_numpy(rgb)[None, -1:], torch.from_numpy(depth_m)[None, -1:, None]
        )
    forgot = (expected[-1]["embedding"] - alone[0]["embedding"]).abs().max()
    assert forgot > 1e-3  # or the embedding could not prove what was handed on
    pipeline = build_pipeline(
        ServiceConfig(
            model=str(make_native_bundle(tmp_path / "one-cube")),
            feature_model=str(bundle),
            threads=1,
            device="cpu",
        )
    )
    for number, answer in enumerate(expected):
        stamp_ns = 1_000_000_000 + number * 33_000_000
        seen = pipeline.process(
            Frame(
                stamp_ns=stamp_ns,
                frame_id="c",
                rgb=rgb[number],
                depth_m=depth_m[number],
                depth_stamp_ns=stamp_ns,
            )
        ).features
        assert seen is not None
        assert seen.stride_px == 4
        np.testing.assert_allclose(seen.grid, answer["features"][0].numpy(), atol=1e-4)
        np.testing.assert_allclose(seen.embedding, answer["embedding"][0].numpy(), atol=1e-4)
