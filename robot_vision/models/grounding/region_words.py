"""Boxes for free text: regions of a picture, in one space with words (GLIP, arXiv:2112.03857).

A proposal head on a pyramid over any encoder finds objects; the features in their boxes are
projected into the space of words, and so are their raw colours, which an encoder trained on names
of objects hardly keeps. Sentence and regions attend to one another; their similarity in that
space and the result of attention together decide whether a region is what the sentence names.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.attention import Block, hiding_bias
from robot_vision.models.layers.language import LanguageEncoder, mean_of_present
from robot_vision.models.layers.pyramid import Pyramid
from robot_vision.models.layers.regions import ProposalHead, peaks, seen_in, surest
from robot_vision.models.multitask.native_parts import STRIDES
from robot_vision.models.picture import noise_pictures, picture_input
from robot_vision.models.registry import register_model

LANGUAGE_FILE, PICTURE_FILE = "language.onnx", "model.onnx"
WORDS_ROLE = "encodings"
COLOR_STRIDE = 4
_FIRST_SCALE = 8.0
_FIRST_BIAS = -4.0


class RegionWordsSpec(Params):
    encoder: EncoderChoice = EncoderChoice(name="native-s")
    width: int = param(96, "width of the pyramid", ge=1, le=4096)
    head_depth: int = param(2, "blocks of the proposal head of a level", ge=1, le=16)
    regions: int = param(48, "proposals that words are compared with", ge=1, le=1000)
    bins: int = param(5, "bins of a region along each side", ge=1, le=14)
    dimensions: int = param(128, "dimensions of the space of words and regions", ge=2, le=4096)
    heads: int = param(4, "attention heads; they divide `dimensions`", ge=1, le=64)
    layers: int = param(1, "attention layers between sentence and regions", ge=1, le=12)
    words: int = param(64, "size of the vocabulary; set by the captions", ge=1, le=100_000)
    max_words: int = param(8, "words of the longest phrase", ge=1, le=128)
    text_layers: int = param(2, "layers among the words of a phrase", ge=1, le=64)
    phrases: int = param(8, "phrases of a prompt in service", ge=1, le=256)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Encoded pictures: a pyramid at `STRIDES`, and colours at `COLOR_STRIDE`."""

    levels: tuple[Float[Tensor, "b c _h _w"], ...]
    colors: Float[Tensor, "b 3 hm wm"]


class RegionWords(nn.Module):
    """Pictures and phrases → boxes (px) with a logit per phrase, and objectness of all cells.

    Token 0 is padding.
    """

    def __init__(self, spec: RegionWordsSpec) -> None:
        super().__init__()
        self.spec = spec
        self._is_frozen = False
        self.encoder = PictureEncoder(spec.encoder)
        self.pyramid = Pyramid(
            self.encoder.strides,
            self.encoder.channels,
            width=spec.width,
            strides=STRIDES,
            wanted=STRIDES,
        )
        self.proposals = nn.ModuleList(
            ProposalHead(spec.width, spec.head_depth, stride) for stride in STRIDES
        )
        self.look = nn.Sequential(
            nn.Linear(spec.width * spec.bins**2, spec.dimensions),
            nn.GELU(),
            nn.Linear(spec.dimensions, spec.dimensions),
        )
        self.color = nn.Linear(3 * spec.bins**2, spec.dimensions)
        self.place = nn.Linear(4, spec.dimensions)
        self.region = nn.LayerNorm(spec.dimensions)
        self.language = LanguageEncoder(
            words=spec.words,
            max_words=spec.max_words,
            width=spec.dimensions,
            heads=spec.heads,
            layers=spec.text_layers,
        )
        self.match = PhraseMatch(spec)

    def freeze_encoder(self) -> None:
        """Freeze the encoder, including its norms."""
        self._is_frozen = True
        self.encoder.requires_grad_(False)
        self.encoder.eval()

    def train(self, mode: bool = True) -> "RegionWords":
        super().train(mode)
        if self._is_frozen:
            self.encoder.eval()
        return self

    def forward(
        self, rgb: Real[Tensor, "b h w 3"], tokens: Int[Tensor, "b p l"]
    ) -> dict[str, Tensor]:
        seen = self.see(rgb)
        things, _, boxes = self.proposed(seen)
        found = self.matched(seen, boxes, *self.read(tokens))
        return {"boxes_xyxy": boxes, "logits": found["logits"], "things": things}

    def see(self, rgb: Real[Tensor, "b h w 3"]) -> Seen:
        """The pyramid of pictures, and their colours."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._is_frozen):
            maps = self.encoder(rgb).maps
        colors = F.avg_pool2d(self.encoder.prepared(rgb), COLOR_STRIDE)
        return Seen(levels=tuple(self.pyramid(maps).values()), colors=colors)

    def proposed(
        self, seen: Seen
    ) -> tuple[Float[Tensor, "b a"], Float[Tensor, "b a 4"], Float[Tensor, "b r 4"]]:
        """Objectness logits and boxes of all cells, and the boxes of the highest logits."""
        found = [head(level) for head, level in zip(self.proposals, seen.levels, strict=True)]
        logits = torch.cat([thing.flatten(1) for thing, _ in found], dim=1)
        boxes = torch.cat([box for _, box in found], dim=1)
        of_peaks = torch.cat([peaks(thing) for thing, _ in found], dim=1)
        return logits, boxes, surest(of_peaks, boxes, self.spec.regions)

    def read(
        self, tokens: Int[Tensor, "b p l"]
    ) -> tuple[Float[Tensor, "b p l d"], Bool[Tensor, "b p l"]]:
        """Encodings of the words of phrases, and which words are present."""
        flat = self.language(tokens.flatten(0, 1))
        return flat.unflatten(0, tokens.shape[:2]), tokens > 0

    def matched(
        self,
        seen: Seen,
        boxes_xyxy: Float[Tensor, "b r 4"],
        encodings: Float[Tensor, "b p l d"],
        present: Bool[Tensor, "b p l"],
    ) -> dict[str, Float[Tensor, "b r p"]]:
        """`logits` that a region is what a phrase names; `alike` from similarity alone."""
        height, width = (side * COLOR_STRIDE for side in seen.colors.shape[2:])
        size, bins = boxes_xyxy.new_tensor([width, height] * 2), self.spec.bins
        look = self.look(seen_in(seen.levels, STRIDES, boxes_xyxy, bins=bins))
        color = self.color(seen_in([seen.colors], [COLOR_STRIDE], boxes_xyxy, bins=bins))
        regions = self.region(look + color + self.place(boxes_xyxy / size))
        return self.match(regions, encodings, present)


class PhraseMatch(nn.Module):
    """Matches regions with phrases, of which only the words that are `present` count."""

    def __init__(self, spec: RegionWordsSpec) -> None:
        super().__init__()
        width, heads = spec.dimensions, spec.heads
        self.project = nn.Linear(width, width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))
        self.bias = nn.Parameter(torch.tensor(_FIRST_BIAS))
        self.to_regions = nn.ModuleList(Block(width, heads) for _ in range(spec.layers))
        self.to_words = nn.ModuleList(Block(width, heads) for _ in range(spec.layers))
        self.verdict = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(
        self,
        regions: Float[Tensor, "b r d"],
        encodings: Float[Tensor, "b p l e"],
        present: Bool[Tensor, "b p l"],
    ) -> dict[str, Float[Tensor, "b r p"]]:
        batch, phrases = encodings.shape[:2]
        words, shown = encodings.flatten(0, 1), present.flatten(0, 1)
        sentence = mean_of_present(words, shown).unflatten(0, (batch, phrases))
        in_space = F.normalize(self.project(regions), dim=2)
        near = in_space @ F.normalize(sentence, dim=2).transpose(1, 2)
        alike = near * self.log_scale.exp() + self.bias
        fused = regions[:, None].expand(-1, phrases, -1, -1).flatten(0, 1)
        bias = hiding_bias(shown)
        for to_regions, to_words in zip(self.to_regions, self.to_words, strict=True):
            words = to_regions(words, fused, None)
            fused = to_words(fused, words, bias)
        found = self.verdict(fused).squeeze(2).unflatten(0, (batch, phrases)).transpose(1, 2)
        return {"logits": (alike + found).float(), "alike": alike.float()}


class _ServedWords(nn.Module):
    def __init__(self, model: RegionWords) -> None:
        super().__init__()
        self.language = model.language

    def forward(self, tokens: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b l d"]]:
        return (self.language(tokens),)


class _ServedRegions(nn.Module):
    def __init__(self, model: RegionWords) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        rgb: Real[Tensor, "b h w 3"],
        prompt: Float[Tensor, "b p l d"],
        prompt_mask: Bool[Tensor, "b p l"],
    ) -> tuple[Float[Tensor, "b r 4"], Float[Tensor, "b r p"]]:
        seen = self.model.see(rgb)
        _, _, boxes = self.model.proposed(seen)
        logits = self.model.matched(seen, boxes, prompt, prompt_mask)["logits"]
        return boxes, logits.sigmoid() * prompt_mask.any(dim=2)[:, None]


def example_inputs(spec: RegionWordsSpec, batch: int) -> dict[str, Tensor]:
    """Noise pictures, and phrases of different lengths."""
    draw = torch.Generator().manual_seed(0)
    shape = (batch, spec.phrases, spec.max_words)
    words = torch.randint(1, spec.words + 1, shape, generator=draw)
    length = 1 + torch.arange(spec.phrases) % spec.max_words
    shown = torch.arange(spec.max_words) < length[:, None]
    return {**noise_pictures(spec, batch), "tokens": words * shown}


def served_graphs(model: nn.Module, spec: RegionWordsSpec, size: Size) -> tuple[Graph, ...]:
    """Two graphs: phrases are encoded once per prompt, one at a time; pictures as they arrive."""
    assert isinstance(model, RegionWords)
    tokens = example_inputs(spec, 1)["tokens"][0, -1:]
    asked = (1, spec.phrases, spec.max_words)
    pixels = torch.zeros(1, size.height_px, size.width_px, 3, dtype=torch.uint8)
    return (
        Graph(
            file=LANGUAGE_FILE,
            module=_ServedWords(model),
            example={"tokens": tokens},
            outputs={WORDS_ROLE: WORDS_ROLE},
        ),
        Graph(
            file=PICTURE_FILE,
            module=_ServedRegions(model),
            example={
                "rgb": pixels,
                "prompt": torch.zeros(*asked, spec.dimensions),
                "prompt_mask": torch.ones(asked, dtype=torch.bool),
            },
            outputs={"boxes_xyxy": "boxes_xyxy", "scores": "scores"},
        ),
    )


register_model(
    Card(
        name="region-words",
        about="Boxes for free text: proposals on any encoder, in one space with words.",
        paper="arXiv:2112.03857, arXiv:1904.01355",
        task="grounding",
        spec=RegionWordsSpec(),
        tiny=RegionWordsSpec(
            encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
            width=8,
            head_depth=1,
            regions=6,
            bins=2,
            dimensions=8,
            heads=2,
            words=9,
            max_words=4,
            text_layers=1,
            phrases=3,
        ),
        build=RegionWords,
        example=example_inputs,
        inputs={"rgb": "b h w 3", "tokens": "b p l"},
        outputs={"boxes_xyxy": "b r 4", "logits": "b r p", "things": "b a"},
        most_parameters=3_000_000,
        serving=Serving(
            graphs=served_graphs,
            format="grounding",
            image=lambda _spec, size: picture_input(size),
        ),
        limits=(
            "It knows only the words of its captions, and objects like those in its training set; "
            "trained on synthetic tabletop scenes only."
        ),
    )
)
