"""Turns the inputs of a policy from pixels into tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.fusion.fusion import PICTURES, ModalityShape, Seen
from robot_vision.models.layers.language import LanguageEncoder
from robot_vision.models.layers.resample import resample
from robot_vision.models.picture import PAD_VALUE
from robot_vision.models.policies.pixel_parts import (
    Age,
    Gating,
    PictureTokens,
    PointTokens,
    RowTokens,
    given,
)
from robot_vision.models.policies.pixel_pointing import Pointing
from robot_vision.models.policies.pixel_points import Located, Locator, Points
from robot_vision.models.policies.pixel_rays import Rays, plucker_rays
from robot_vision.models.policies.pixel_spec import PixelPolicySpec, input_shapes, modalities_of
from robot_vision.models.temporal.depth_encoder import DepthEncoder

_LANGUAGE_HEADS = 4
_DEPTH_STRIDE_PX, _FEATURES_STRIDE_PX = 4, 16


class PixelSight(nn.Module):
    """Inputs by name (see `ChunkPolicy.forward`) → `Seen`."""

    def __init__(self, spec: PixelPolicySpec) -> None:
        super().__init__()
        self.spec = spec
        seen = spec.observation
        self.language = _language(spec) if seen.words == "vocabulary" else None
        self.encoder = PictureEncoder(spec.encoder) if seen.cameras else None
        if self.encoder is not None and spec.freeze_encoder:
            # A new module is in training mode: its first pictures would change frozen statistics.
            self.encoder.requires_grad_(False).eval()
        levels = slice(-spec.levels, None)
        self._strides = self.encoder.strides[levels] if self.encoder is not None else ()
        channels = self.encoder.channels[levels] if self.encoder is not None else ()
        self._channels = (channels[0] + 3 * spec.patches**2, *channels[1:]) if channels else ()
        deep = [camera.name for camera in seen.cameras if camera.has_depth]
        in_relief = bool(deep) and spec.depth == "relief"
        self.depth = DepthEncoder(spec.depth_width) if in_relief else None
        placed = deep if spec.depth == "points" else []
        self.locators = nn.ModuleDict({camera: self._locator(camera) for camera in placed})
        self.points = nn.ModuleDict({camera: Points(spec.width) for camera in placed})
        self.names = modalities_of(seen)
        self.tokens = nn.ModuleDict({_key(name): self._tokens_of(name) for name in self.names})
        self.age = Age(spec.width) if "age_s" in input_shapes(spec) else None
        self.gating = Gating(self.names, spec.width) if spec.gating else None
        self.pointing = self._pointing(placed) if spec.pointing else None

    @property
    def shapes(self) -> dict[str, ModalityShape]:
        """Shape of each modality, by name."""
        shapes = {name: self.part(name).shape for name in self.names}
        return shapes if self.pointing is None else shapes | {"pointed": self.pointing.shape}

    def part(self, name: str) -> Any:
        """The module that makes the tokens of a modality."""
        return self.tokens[_key(name)]

    def train(self, mode: bool = True) -> "PixelSight":
        super().train(mode)
        if self.encoder is not None and self.spec.freeze_encoder:
            self.encoder.eval()
        return self

    def forward(self, inputs: Mapping[str, Tensor]) -> Seen:
        tokens, present = dict[str, Tensor](), dict[str, Tensor]()
        maps = dict[str, tuple[Tensor, ...]]()
        age = self.age(inputs["age_s"]) if self.age is not None else None
        points = {
            camera: self.points[camera](self._located(locator, camera, inputs))
            for camera, locator in self.locators.items()
        }
        for name in self.names:
            kind = self.part(name).shape.kind
            aged = None if kind == "features" else age
            at = points.get(name.rpartition(".")[0])
            if kind == "depth" and at is not None:
                shown = inputs[f"depth_seen_{name.rpartition('.')[0]}"]
                tokens[name] = self.part(name)(at, aged)
                present[name] = shown.repeat_interleave(at.shape[2], 1)
            elif kind in PICTURES:
                maps[name], shown = self._maps_of(name, kind, inputs)
                tokens[name] = self.part(name)(maps[name], aged, inputs, at)
                present[name] = shown.repeat_interleave(tokens[name].shape[1] // shown.shape[1], 1)
            else:
                tokens[name], present[name] = self._row(name, inputs, age)
        if self.gating is not None:
            tokens = self.gating(Seen(tokens=tokens, present=present))
        seen = Seen(tokens=tokens, present=present, maps=maps)
        if self.pointing is None:
            return seen
        finer = self.pointing.locators.items()
        return self.pointing(seen, {c: self._located(each, c, inputs) for c, each in finer})

    def _maps_of(
        self, name: str, kind: str, inputs: Mapping[str, Tensor]
    ) -> tuple[tuple[Float[Tensor, "b n _c _h _w"], ...], Bool[Tensor, "b n"]]:
        """Maps of a picture, zero where it was not seen; and where it was."""
        camera = name.rpartition(".")[0]
        if kind == "features":
            shown, found = inputs["features_seen"], (inputs["features"].unsqueeze(1),)
        elif kind == "depth":
            shown = inputs[f"depth_seen_{camera}"]
            found = (self._depth(given(inputs[f"depth_{camera}"], shown)),)
        else:
            shown = inputs[f"seen_{camera}"]
            cached = [f"maps_{camera}_{level}" for level in range(len(self._strides))]
            if cached[0] in inputs:
                found = tuple(inputs[level] for level in cached)
            else:
                found = self.maps(camera, inputs[f"rgb_{camera}"])
        return tuple(given(each, shown) for each in found), shown

    def _depth(self, depth_m: Float[Tensor, "b n h w"]) -> Float[Tensor, "b n c hm wm"]:
        """Maps of depth, padded as color is, so that both maps are aligned."""
        assert self.depth is not None
        fitting = _padded(depth_m, max(_DEPTH_STRIDE_PX, *self._strides), value=0)
        return self.depth(fitting.flatten(0, 1).unsqueeze(1)).unflatten(0, depth_m.shape[:2])

    def _row(
        self,
        name: str,
        inputs: Mapping[str, Tensor],
        age: Float[Tensor, "b _steps d"] | None,
    ) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        if name == "words":
            values, shown = self._text(inputs)
        else:
            values, shown = inputs[name], inputs[f"{name}_seen"]
        tokens = self.part(name)(given(values, shown))
        return tokens + age if name == "state" and age is not None else tokens, shown

    def _text(
        self, inputs: Mapping[str, Tensor]
    ) -> tuple[Float[Tensor, "b l d"], Bool[Tensor, "b l"]]:
        if self.language is not None and "tokens" in inputs:
            return self.language(inputs["tokens"]), inputs["tokens"] > 0
        return inputs["text"], inputs["text_seen"]

    def maps(
        self, camera: str, rgb: Real[Tensor, "*batch h w 3"]
    ) -> tuple[Float[Tensor, "*batch _c _h _w"], ...]:
        """The encoder's maps of a camera's pictures.

        The `levels` coarsest, finest first; the finest also has the colors of `patches`.
        """
        assert self.encoder is not None, f"no camera {camera!r}: the policy has no cameras"
        planes = rgb.reshape(-1, *rgb.shape[-3:]).permute(0, 3, 1, 2)
        fitting = _padded(planes, max(self.encoder.strides), value=PAD_VALUE)
        maps = list(self.encoder(fitting.permute(0, 2, 3, 1)).maps[-self.spec.levels :])
        if self.spec.patches:
            maps[0] = torch.cat([maps[0], patches_of(fitting, maps[0], self.spec.patches)], dim=1)
        return tuple(each.reshape(*rgb.shape[:-3], *each.shape[1:]) for each in maps)

    def _tokens_of(self, name: str) -> nn.Module:
        spec, seen = self.spec, self.spec.observation
        camera = name.rpartition(".")[0]
        if name.endswith(".color"):
            rays = self._rays(camera)
            return PictureTokens(spec, "color", self._channels, self._strides, rays)
        if name.endswith(".depth") and spec.depth == "points":
            return PointTokens(spec)
        if name.endswith(".depth"):
            channels, strides = (spec.depth_width,), (_DEPTH_STRIDE_PX,)
            return PictureTokens(spec, "depth", channels, strides, self._rays(camera))
        if name == "features":
            stride_px = _FEATURES_STRIDE_PX
            return PictureTokens(spec, "features", (spec.features_channels,), (stride_px,))
        count, numbers, steps = {
            "state": (1, seen.state_width, seen.steps),
            "tracks": (spec.max_tracks, spec.track_width, 1),
            "words": (spec.max_words, spec.given_width, 1),
        }[name]
        return RowTokens(name, count, numbers, spec.width, steps=steps)

    def _rays(self, camera: str) -> Rays | None:
        """Rays of the cells of a camera whose pose is known."""
        if camera not in self.spec.poses:
            return None
        pose = self.spec.poses[camera]
        size, margin = self._size(camera)
        rays = plucker_rays(
            pose,
            rows=self.spec.grid_rows,
            columns=self.spec.grid_columns,
            size=size,
            margin=margin,
        )
        return Rays(rays, self.spec.width, is_on_tool=pose.mount == "tool")

    def _locator(self, camera: str, *, parts: int = 1) -> Locator:
        """Locates `parts` × `parts` places per cell.

        Raises `ConfigError` for a camera whose pose is unknown; poses come from the data.
        """
        if camera not in self.spec.poses:
            raise ConfigError(
                f"spec.depth is points, and the pose of camera {camera} is unknown: expected "
                "options.camera_poses and sets that contain it, or spec.depth: relief"
            )
        size, margin = self._size(camera)
        grid = (parts * self.spec.grid_rows, parts * self.spec.grid_columns)
        return Locator(self.spec.poses[camera], grid=grid, size=size, margin=margin)

    def _pointing(self, cameras: Sequence[str]) -> Pointing:
        rows = [name for name in self.names if self.part(name).shape.kind not in PICTURES]
        parts = max(1, self.spec.patches)
        locators = {name: self._locator(name, parts=parts) for name in cameras}
        return Pointing(self.spec.width, rows=rows, locators=locators, parts=parts)

    def _located(self, locator: nn.Module, camera: str, inputs: Mapping[str, Tensor]) -> Located:
        """Positions of a camera's cells, also relative to the tool where it is observed."""
        is_tool = self.spec.observation.state == "tool"
        arm = (inputs["state"], inputs["state_seen"]) if is_tool else ()
        depth_m, shown = inputs[f"depth_{camera}"], inputs[f"depth_seen_{camera}"]
        return locator(depth_m, shown, *arm)

    def margin_px(self, camera: str) -> tuple[int, int]:
        """How far a camera's picture is padded below and right of it."""
        return self._size(camera)[1]

    def _size(self, camera: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Height and width of a camera's picture, and the margin below and right of it, px."""
        (height, width) = next(
            (c.height_px, c.width_px) for c in self.spec.observation.cameras if c.name == camera
        )
        stride_px = max(_DEPTH_STRIDE_PX, *self._strides)
        return (height, width), (-height % stride_px, -width % stride_px)


def patches_of(
    planes: Real[Tensor, "b 3 h w"], cells: Float[Tensor, "b _c rows columns"], count: int
) -> Float[Tensor, "b 3*{count}**2 rows columns"]:
    """Mean colors, as -1 to 1, of count × count patches of each of the `cells`."""
    rows, columns = cells.shape[-2:]
    colors = resample(planes.float() / 127.5 - 1, rows * count, columns * count)
    return F.pixel_unshuffle(colors, count)


def _language(spec: PixelPolicySpec) -> LanguageEncoder:
    return LanguageEncoder(
        words=spec.words, max_words=spec.max_words, width=spec.width, heads=_LANGUAGE_HEADS
    )


def _key(name: str) -> str:
    """Key of a modality in a `ModuleDict`, which allows no dots."""
    return name.replace(".", "_")


def _padded(
    planes: Real[Tensor, "*batch h w"], stride_px: int, *, value: int
) -> Real[Tensor, "*batch _h _w"]:
    """Planes with a margin below and right, so that the stride divides their sides."""
    below, right = -planes.shape[-2] % stride_px, -planes.shape[-1] % stride_px
    return F.pad(planes, (0, right, 0, below), value=value)
