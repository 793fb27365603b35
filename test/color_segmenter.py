"""A pair that segments by colour: quick to make and to run, and its masks can be judged.

It has the tensors of the pair `sam`. A thing is what is coloured as the picture is at the mean of
the points on it, or at the middle of the box.
"""

from pathlib import Path

import numpy as np
import onnx

from robot_vision.core.manifests.segmenter_manifest import PictureInput, SegmenterManifest
from robot_vision.model_store.segmenters import SegmenterBundle, write_segmenter

SIDE_PX = 512
_CELLS = SIDE_PX // 16

_ENCODER = f"""
<ir_version: 8, opset_import: ["" : 18]>
encoder (float[1,3,{SIDE_PX},{SIDE_PX}] pixel_values)
  => (float[1,48,{_CELLS},{_CELLS}] embedding) {{
  small = AveragePool <kernel_shape: ints = [4, 4], strides: ints = [4, 4]> (pixel_values)
  embedding = SpaceToDepth <blocksize: int = 4> (small)
}}
"""
_DECODER = f"""
<ir_version: 8, opset_import: ["" : 18]>
decoder (
  float[1,48,{_CELLS},{_CELLS}] image_embeddings, float[p,k,2] point_coords,
  float[p,k] point_labels, float[p,1,{4 * _CELLS},{4 * _CELLS}] mask_input,
  float[1] has_mask_input
) => (float[p,4] iou_predictions, float[p,4,{4 * _CELLS},{4 * _CELLS}] low_res_masks) {{
  half = Constant <value: tensor = float {{0.5}}> ()
  one = Constant <value: tensor = float {{1.0}}> ()
  two = Constant <value: tensor = float {{2.0}}> ()
  side = Constant <value: tensor = float {{{SIDE_PX}.0}}> ()
  axis1 = Constant <value: tensor = int64[1] {{1}}> ()
  last = Constant <value: tensor = int64[1] {{-1}}> ()
  is_on = GreaterOrEqual (point_labels, half)
  weight = Cast <to: int = 1> (is_on)
  total = ReduceSum (weight, axis1)
  share = Div (weight, total)
  share3 = Unsqueeze (share, last)
  weighted = Mul (point_coords, share3)
  middle = ReduceSum <keepdims: int = 0> (weighted, axis1)
  centred = Add (middle, half)
  scaled = Div (centred, side)
  doubled = Mul (scaled, two)
  at = Sub (doubled, one)
  grid_shape = Constant <value: tensor = int64[4] {{-1, 1, 1, 2}}> ()
  grid = Reshape (at, grid_shape)
  colors = DepthToSpace <blocksize: int = 4> (image_embeddings)
  ones = Constant <value: tensor = int64[3] {{1, 1, 1}}> ()
  count = Shape <start: int = 0, end: int = 1> (point_coords)
  tiles = Concat <axis: int = 0> (count, ones)
  many = Expand (colors, tiles)
  color = GridSample <align_corners: int = 0> (many, grid)
  off = Sub (many, color)
  square = Mul (off, off)
  sum = ReduceSum (square, axis1)
  distance = Sqrt (sum)
  reach = Constant <value: tensor = float[1,4,1,1] {{0.5, 0.3, 0.5, 0.8}}> ()
  within = Sub (reach, distance)
  sharp = Constant <value: tensor = float {{20.0}}> ()
  low_res_masks = Mul (within, sharp)
  scores = Constant <value: tensor = float[1,4] {{0.97, 0.91, 0.96, 0.9}}> ()
  row = Concat <axis: int = 0> (count, axis1)
  iou_predictions = Expand (scores, row)
}}
"""


def write_color_pair(folder: Path) -> tuple[Path, Path]:
    """The encoder and the decoder as files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "color_encoder.onnx", folder / "color_decoder.onnx"
    for file, text in zip(files, (_ENCODER, _DECODER), strict=True):
        model = onnx.parser.parse_model(text)
        onnx.checker.check_model(model)
        onnx.save(model, file)
    return files


def write_color_segmenter(folder: Path) -> SegmenterBundle:
    encoder, decoder = write_color_pair(folder)
    manifest = SegmenterManifest(
        name="by-color", pair="sam", picture=PictureInput(side_px=SIDE_PX), licence="Apache-2.0"
    )
    return write_segmenter(folder / "bundle", manifest, encoder=encoder, decoder=decoder)


def discs(
    *centres: tuple[float, float], width_px: int = 160, height_px: int = 120, radius_px: float = 18
) -> np.ndarray:
    """Discs in red, green and blue, in that order, on grey."""
    rgb = np.full((height_px, width_px, 3), 110, np.uint8)
    y, x = np.mgrid[:height_px, :width_px]
    colors = ((220, 30, 30), (30, 200, 40), (40, 60, 230))
    for (at_x, at_y), color in zip(centres, colors, strict=False):
        rgb[np.hypot(x - at_x, y - at_y) <= radius_px] = color
    return rgb
