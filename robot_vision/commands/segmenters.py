"""`robot-vision models` for bundles of an encoder and a decoder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from rich.table import Table


def add_segmenters(table: "Table") -> None:
    """Add a row for each one in the store."""
    from robot_vision.model_store.segmenters import list_segmenters

    for bundle in list_segmenters():
        m = bundle.manifest
        size = f"{m.picture.side_px}×{m.picture.side_px}"
        table.add_row(m.model_id, m.task, m.pair, size, "-", m.licence, str(bundle.path))


def show_segmenter(name: str) -> None:
    """Show its manifest, and whether its files match."""
    import yaml

    from robot_vision.model_store.segmenters import find_segmenter

    bundle = find_segmenter(name)
    described = bundle.manifest.model_dump(mode="json")
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    Screen().print(f"{bundle.path} (verified)\n{text}")


def verify_segmenter(name: str, device: str) -> None:
    """Check its sha256s, load both networks and run them on a blank picture."""
    from robot_vision.model_store.segmenters import find_segmenter
    from robot_vision.segment.segmenter import Segmenter

    bundle = find_segmenter(name)
    segmenter = Segmenter(bundle, device=device, threads=0)
    Screen().print(
        f"{bundle.manifest.model_id}: encoder and decoder run on {segmenter.provider}, with the "
        f"tensors of the pair {segmenter.pair.name} ({segmenter.pair.about})",
        soft_wrap=True,
    )


def import_segmenter(
    model: Path,
    decoder: Path | None,
    *,
    name: str,
    licence: str,
    picture: Mapping[str, Any],
    out: Path,
) -> None:
    """Make a bundle of two ONNX files, or of a SAM folder written by `save_pretrained`."""
    from robot_vision.model_store.segmenters import write_segmenter

    if model.is_dir():
        if decoder is not None or picture:
            raise ConfigError(
                f"{model} is a folder with all settings: leave out --decoder, --input"
            )
        from robot_vision.foundation.sam import export_sam

        bundle = export_sam(model, out, name=name, licence=licence)
    else:
        from robot_vision.segment.importing import describe_pair

        assert decoder is not None
        manifest = describe_pair(model, decoder, name=name, licence=licence, picture=picture)
        bundle = write_segmenter(out, manifest, encoder=model, decoder=decoder)
    verify_segmenter(str(bundle.path), "cpu")
    Screen().print(
        f"written: {bundle.path} (pair {bundle.manifest.pair}, licence "
        f"{bundle.manifest.licence}; {bundle.manifest.limits})"
    )
