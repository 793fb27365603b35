"""Tokens of one moment from a vision-language model, with those of the arm and of tracks."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.fusion.fusion import ModalityShape, Seen, learnt
from robot_vision.models.policies.pixel_parts import Age, RowTokens, given
from robot_vision.models.policies.pixel_spec import modalities_of
from robot_vision.models.vla.adapter import Row, try_out
from robot_vision.models.vla.backbone import build_backbone, drop_words
from robot_vision.models.vla.lora import add_lora
from robot_vision.models.vla.spec import VlmPolicySpec

BACKBONE = "backbone"


class VlmSight(nn.Module):
    """Inputs by name (see `ChunkPolicy.forward`) → `Seen`.

    Pictures of all cameras and steps, then the words, then learnt action tokens go through the
    backbone; only the action tokens are read out.
    """

    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    def __init__(self, spec: VlmPolicySpec) -> None:
        super().__init__()
        self.spec = spec
        self.language = None  # words come as encodings, by the backbone's own table
        self.adapter = build_backbone(spec.backbone)
        _check_sizes(spec, self.adapter.image_processor, self.adapter.hidden_size)
        drop_words(self.adapter)
        self.vlm = self.adapter.model
        self._freeze()
        prepared, hidden = self.adapter.image_processor, self.adapter.hidden_size
        for name, own in (("mean", prepared.mean), ("std", prepared.std)):
            chosen = torch.tensor(getattr(spec.backbone, f"image_{name}") or own)
            self.register_buffer(name, chosen.reshape(3, 1, 1), persistent=False)
        width = try_out(self.adapter).picture_width
        self.camera = nn.Parameter(torch.zeros(len(spec.observation.cameras), width))
        self.picture_age = Age(width)
        nn.init.zeros_(self.picture_age.out.weight)
        nn.init.zeros_(self.picture_age.out.bias)
        self.action = learnt(spec.action_tokens, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, spec.width)
        self.age = Age(spec.width)
        beside = [n for n in modalities_of(spec.observation) if n in ("state", "tracks")]
        self.rows = nn.ModuleDict({name: self._row_tokens(name) for name in beside})

    @property
    def shapes(self) -> dict[str, ModalityShape]:
        """Shape of each modality, by name."""
        read = ModalityShape(kind=BACKBONE, rows=1, columns=self.spec.action_tokens)
        return {BACKBONE: read, **{name: self.part(name).shape for name in self.rows}}

    def part(self, name: str) -> Any:
        """The module that makes the tokens of the arm's state, or of tracks."""
        return self.rows[name]

    def train(self, mode: bool = True) -> "VlmSight":
        super().train(mode)
        if self.spec.freeze_backbone:
            self.vlm.eval()
        return self

    def forward(self, inputs: Mapping[str, Tensor]) -> Seen:
        read = self.adapter.read(self._images(inputs), self._words(inputs))
        read = self.out(self.norm(read[:, -self.spec.action_tokens :])).float()
        tokens = {BACKBONE: read}
        present = {BACKBONE: torch.ones_like(read[..., 0], dtype=torch.bool)}
        for name in self.rows:
            present[name] = inputs[f"{name}_seen"]
            tokens[name] = self.part(name)(given(inputs[name], present[name]))
        if "state" in tokens:
            tokens["state"] = tokens["state"] + self.age(inputs["age_s"])
        return Seen(tokens=tokens, present=present)

    def _images(self, inputs: Mapping[str, Tensor]) -> Row:
        """Tokens of the pictures of all cameras, camera by camera and step by step."""
        found, there = list[Tensor](), list[Tensor]()
        age = self.picture_age(inputs["age_s"])
        for place, camera in enumerate(self.spec.observation.cameras):
            shown = inputs[f"seen_{camera.name}"]
            tokens = self.encode(given(inputs[f"rgb_{camera.name}"], shown))
            found.append((tokens + (age + self.camera[place]).unsqueeze(2)).flatten(1, 2))
            there.append(shown.repeat_interleave(tokens.shape[2], dim=1))
        present = torch.cat(there, dim=1)
        return Row(values=given(torch.cat(found, dim=1), present), present=present)

    def encode(self, rgb: Real[Tensor, "b n h w 3"]) -> Float[Tensor, "b n k d"]:
        """Tokens of pictures with values from 0 to 255."""
        pixels = rgb.flatten(0, 1).permute(0, 3, 1, 2) / 255
        tokens = self.adapter.encode_images((pixels - self.mean) / self.std)
        return tokens.unflatten(0, rgb.shape[:2])

    def _words(self, inputs: Mapping[str, Tensor]) -> Row:
        """The words, followed by the action tokens."""
        action = self.action.expand(len(inputs["age_s"]), -1, -1)
        always = torch.ones_like(action[..., 0], dtype=torch.bool)
        if self.spec.observation.words == "none":
            return Row(values=action, present=always)
        present = inputs["text_seen"]
        values = torch.cat([given(inputs["text"], present), action], dim=1)
        return Row(values=values, present=torch.cat([present, always], dim=1))

    def _row_tokens(self, name: str) -> RowTokens:
        spec, seen = self.spec, self.spec.observation
        if name == "state":
            return RowTokens(name, 1, seen.state_width, spec.width, steps=seen.steps)
        return RowTokens(name, spec.max_tracks, spec.track_width, spec.width)

    def _freeze(self) -> None:
        if self.spec.lora.rank:
            add_lora(self.vlm, self.spec.lora)
        if self.spec.freeze_backbone:
            self.vlm.requires_grad_(False)
        if self.spec.freeze_vision:
            self.adapter.vision_tower.requires_grad_(False)


def _check_sizes(spec: VlmPolicySpec, prepared: Any, hidden: int) -> None:
    """Raise `ConfigError` if cameras or words do not have the sizes that the backbone takes."""
    for camera in spec.observation.cameras:
        if (camera.width_px, camera.height_px) != (prepared.width_px, prepared.height_px):
            raise ConfigError(
                f"camera {camera.name!r} is shown at {camera.width_px} x {camera.height_px} px; "
                f"the backbone takes {prepared.width_px} x {prepared.height_px}: set that in "
                "observation.cameras (pictures of any size are stretched to it)"
            )
    if spec.observation.words == "sentence" and spec.text_width != hidden:
        raise ConfigError(
            f"a word has {spec.text_width} numbers, but {hidden} in the backbone: expected "
            "options.sentences.folder with the backbone's own words, as `robot-vision vla "
            "recipe` writes it"
        )
