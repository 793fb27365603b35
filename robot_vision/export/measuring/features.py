"""Measures the embeddings of a bundle: probes on labelled pictures, and attention."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from robot_vision.core.errors import BundleError
from robot_vision.core.files.figures import write_figures
from robot_vision.export.measuring.attention import measure_attention
from robot_vision.export.measuring.picture_bundle import Measured, PictureModel, weights_travel
from robot_vision.export.parity import torch_predictor
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Graph, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import load_exactly, read_weights, spec_of
from robot_vision.training.data.caches.crops import CropOptions
from robot_vision.training.engine.run import BUNDLE_WEIGHTS
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.tiles import captioned, write_tiles
from robot_vision.training.self_supervised.labelled import Labelled, LabelledPair, open_pair
from robot_vision.training.self_supervised.probes import nearest

_NEIGHBOURS_SHOWN = 5


def measure_features(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int, known: Path
) -> Measured:
    """`knn_top1` and `linear_top1` on `images` (0: all) of `held_out`, fitted on `known`.

    Reported beside them: the same for the encoder with random weights, if the bundle has weights
    of ours, and baselines that need no encoder. For a ViT with a class token and a set with masks,
    also its attention. Writes `metrics.json`, `neighbours.png` and `attention.png`. Raises
    `ConfigError` if the sets have other classes.
    """
    size = Size(width_px=bundle.manifest.input.width_px, height_px=bundle.manifest.input.height_px)
    crop = CropOptions.model_validate(weights_travel(bundle).get("crop", {}))
    pair = open_pair(
        str(known), str(held_out), crop=crop, size=size, cache_dir="", most=(0, images)
    )
    predict = _predictor(bundle)
    metrics = pair.probes(predict)
    notes = [*pair.notes()]
    model = _model_of(bundle, size, notes)
    if model is not None:
        metrics |= _beside_random(metrics, model[0], pair)
    metrics |= pair.trivial()
    out.mkdir(parents=True, exist_ok=True)
    _draw_neighbours(out / "neighbours.png", pair, predict, count=worst)
    files = ["metrics.json", "neighbours.png"]
    if model is not None:
        found = measure_attention(model[1], held_out, file=out / "attention.png", images=images)
        metrics |= found
        files += ["attention.png"] if found else []
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    write_figures(out / "metrics.json", rounded)
    return Measured(metrics=rounded, notes=tuple(notes), files=tuple(files))


def _predictor(bundle: Bundle) -> Predictor:
    """Embeddings as the service computes them: the output of that role, else the grid's mean."""
    model = PictureModel(bundle)

    def embedding(rgb: np.ndarray) -> np.ndarray:
        outputs = model.run(rgb).outputs
        if "embedding" in outputs:
            return outputs["embedding"][0]
        if "features" not in outputs:
            raise BundleError(
                f"bundle {bundle.manifest.name!r} has the outputs {', '.join(outputs)}; "
                "expected embedding or features"
            )
        return outputs["features"][0].mean(axis=(1, 2))

    return lambda inputs: {"embedding": np.stack([embedding(rgb) for rgb in inputs["rgb"]])}


def _model_of(bundle: Bundle, size: Size, notes: list[str]) -> tuple[Graph, nn.Module] | None:
    """The graph that embeds pictures, with random weights, and the bundle's model; None of a
    foreign bundle."""
    file = bundle.path / BUNDLE_WEIGHTS
    if bundle.manifest.architecture not in MODELS or not file.is_file():
        notes.append("the bundle has no weights of ours: no comparison with random weights")
        return None
    card, weights = MODELS.get(bundle.manifest.architecture), read_weights(file)
    spec = spec_of(weights, card, {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh, trained = card.build(spec), card.build(spec)
    load_exactly(trained, weights, name=card.name)
    graphs = card.serving.graphs(fresh.eval(), spec, size) if card.serving else ()
    of_pictures = [g for g in graphs if [*g.example] == ["rgb"] and "embedding" in g.outputs]
    if not of_pictures:
        notes.append(f"{card.name} embeds no picture alone: no comparison with random weights")
        return None
    return of_pictures[0], trained.eval()


def _beside_random(
    metrics: dict[str, float], fresh: Graph, pair: LabelledPair
) -> dict[str, float]:
    """The probes with random weights, and the bundle's gain over them."""
    settle_norms(fresh.module, pair.known)
    found = pair.probes(torch_predictor(fresh))
    gains = {f"{name}_gain": metrics[name] - value for name, value in found.items()}
    return {f"random_{name}": value for name, value in found.items()} | gains


@torch.no_grad()
def settle_norms(model: nn.Module, known: Labelled) -> None:
    """Give batch norms the statistics of real pictures, as training would: without them, random
    weights look worse than they are."""
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and any(p.requires_grad for p in module.parameters())
    ]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    for rgb in known.batches() if norms else ():
        model(torch.from_numpy(rgb))
    model.eval()


def _draw_neighbours(file: Path, pair: LabelledPair, predict: Predictor, *, count: int) -> None:
    """Query pictures, the wrong ones first, each beside its nearest known ones."""
    known, asked = pair.known.embeddings(predict), pair.asked.embeddings(predict)
    rows = nearest(known, asked, count=_NEIGHBOURS_SHOWN)
    names = pair.known.class_names
    is_wrong = pair.known.class_row[rows[:, 0]] != pair.asked.class_row
    tiles = []
    for number in np.argsort(~is_wrong, kind="stable")[:count].tolist():
        truth = names[pair.asked.class_row[number]]
        tiles.append(captioned(pair.asked.cache.rgb([number])[0], (truth, "asked for")))
        for row in rows[number].tolist():
            name = names[pair.known.class_row[row]]
            likeness = f"{float(known[row] @ asked[number]):.2f}"
            tiles.append(captioned(pair.known.cache.rgb([row])[0], (name, likeness)))
    write_tiles(file, tiles, columns=1 + rows.shape[1])
