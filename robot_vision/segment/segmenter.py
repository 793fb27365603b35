"""A bundle of an encoder and a decoder, ready to answer prompts about pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.model_store.segmenters import SegmenterBundle
from robot_vision.segment.graphs import RunningGraph
from robot_vision.segment.masks import Segment, box_of, stability_of
from robot_vision.segment.pair import BOTTOM_RIGHT, OFF, ON, PAIRS, TOP_LEFT, Candidates, Tokens
from robot_vision.segment.picture import View, pixels_of, view_of
from robot_vision.segment.prompt import Prompt, check_prompt, make_prompt

# Of four candidates the first answers unambiguous prompts, the others ambiguous ones.
_WITH_A_SURE_ONE = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """An encoded picture: it answers any number of prompts."""

    tensors: Mapping[str, np.ndarray]
    view: View


class Segmenter:
    """Masks for prompts. Both graphs have run once when the constructor returns.

    Raises `BundleError` if the two do not fit their pair, and `DeviceError`. Not thread-safe.
    """

    def __init__(self, bundle: SegmenterBundle, *, device: str = "cpu", threads: int = 1) -> None:
        self.manifest = bundle.manifest
        self.pair = PAIRS.get(bundle.manifest.pair)
        self._encoder = RunningGraph(bundle.encoder_path, device=device, threads=threads)
        self._decoder = RunningGraph(bundle.decoder_path, device=device, threads=threads)
        if not self.pair.recognises(self._encoder.graph, self._decoder.graph):
            raise BundleError(
                f"bundle {self.manifest.name!r} is not a pair {self.pair.name!r}: its encoder has "
                f"{_names(self._encoder)}, its decoder {_names(self._decoder)}"
            )
        self.provider = self._encoder.provider
        side = self.manifest.picture.side_px
        blank = self.embed(np.zeros((side // 2, side, 3), np.uint8))
        self.segment(blank, make_prompt(points=[(1.0, 1.0)]))

    def embed(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Embedding:
        """Run the encoder: the slow part, once per picture."""
        spec = self.manifest.picture
        view = view_of(spec, width_px=rgb.shape[1], height_px=rgb.shape[0])
        pixels = pixels_of(rgb, spec, view)
        fed = self.pair.feed_encoder(pixels, spec.side_px, self._encoder.graph)
        return Embedding(tensors=self._encoder.run(fed), view=view)

    def segment(
        self, embedding: Embedding, prompt: Prompt, *, several: bool | None = None
    ) -> tuple[Segment, ...]:
        """The candidate masks for a prompt, the best first.

        There are `several` by default if it is ambiguous; else the model's single mask for
        unambiguous prompts, if it has one.

        Raises `ConfigError` for a prompt outside the picture, or one that the pair cannot take.
        """
        several = prompt.is_ambiguous if several is None else several
        candidates = self.candidates(embedding, [prompt], several=several)
        order = np.argsort(-candidates.score[0], kind="stable")
        return tuple(
            self.finish(embedding, candidates.logits[0, row], float(candidates.score[0, row]))
            for row in order
        )

    def candidates(
        self, embedding: Embedding, prompts: Sequence[Prompt], *, several: bool
    ) -> Candidates:
        """The decoder's maps for prompts of the same kind and number of points, all at once.

        `several` takes the masks for ambiguous prompts; else the one for unambiguous prompts, if
        the model has one.
        """
        for prompt in prompts:
            self._check(prompt, embedding.view)
        tokens = _tokens(prompts, embedding.view)
        return _chosen(self._decode(embedding, tokens), several=several)

    def finish(
        self, embedding: Embedding, logits: Float32[np.ndarray, "h w"], score: float
    ) -> Segment:
        """One of the decoder's maps as a mask over the picture."""
        over = embedding.view.from_input(np.ascontiguousarray(logits, np.float32))
        threshold = self.manifest.mask_threshold
        mask = over > threshold
        return Segment(
            mask=mask,
            score=score,
            stability=stability_of(over, threshold=threshold),
            box_xyxy_px=box_of(mask),
            logits=logits,
        )

    def _decode(self, embedding: Embedding, tokens: Tokens) -> Candidates:
        """All prompts in one run if the graph takes several, else one after the other."""
        if len(tokens.xy_px) > 1 and not self._takes_several:
            parts = [self._decode(embedding, _row(tokens, n)) for n in range(len(tokens.xy_px))]
            return Candidates(
                logits=np.concatenate([part.logits for part in parts]),
                score=np.concatenate([part.score for part in parts]),
            )
        fed = self.pair.feed_decoder(embedding.tensors, tokens, self._decoder.graph)
        found = self.pair.read(self._decoder.run(fed))
        if found.logits.shape[:2] != found.score.shape or found.logits.ndim != 4:
            raise BundleError(
                f"{self._decoder.file} gives masks {list(found.logits.shape)} and scores "
                f"{list(found.score.shape)}; expected [p, m, h, w] and [p, m]"
            )
        return found

    @property
    def _takes_several(self) -> bool:
        name, axis = self.pair.prompts_axis
        return self._decoder.graph.inputs[name][axis] is None

    def _check(self, prompt: Prompt, view: View) -> None:
        check_prompt(prompt, width_px=view.width_px, height_px=view.height_px)
        about = f"{self.manifest.model_id} ({self.pair.about})"
        if prompt.box_xyxy_px is not None and not self.pair.takes_boxes:
            raise ConfigError(f"{about} takes no boxes: give points on the object and off it")
        if prompt.mask_logits is not None and not self.pair.takes_masks:
            raise ConfigError(f"{about} takes no earlier mask: give points or a box")


def _tokens(prompts: Sequence[Prompt], view: View) -> Tokens:
    rows = [_token_row(prompt, view) for prompt in prompts]
    masks = [prompt.mask_logits for prompt in prompts]
    given = [mask for mask in masks if mask is not None]
    if len({len(label) for _, label in rows}) > 1 or len(given) not in (0, len(masks)):
        raise ConfigError(
            "prompts in one batch must have the same number of points and the same parts"
        )
    return Tokens(
        xy_px=np.stack([xy_px for xy_px, _ in rows]),
        label=np.stack([label for _, label in rows]),
        mask=np.stack(given)[:, None].astype(np.float32) if given else None,
    )


def _token_row(prompt: Prompt, view: View) -> tuple[np.ndarray, np.ndarray]:
    xy_px, label = prompt.point_xy_px, np.where(prompt.is_object, ON, OFF)
    if prompt.box_xyxy_px is not None:
        xy_px = np.concatenate([xy_px, prompt.box_xyxy_px.reshape(2, 2)])
        label = np.concatenate([label, [TOP_LEFT, BOTTOM_RIGHT]])
    return view.to_input(xy_px), label.astype(np.float32)


def _row(tokens: Tokens, row: int) -> Tokens:
    part = slice(row, row + 1)
    mask = None if tokens.mask is None else tokens.mask[part]
    return Tokens(xy_px=tokens.xy_px[part], label=tokens.label[part], mask=mask)


def _chosen(found: Candidates, *, several: bool) -> Candidates:
    if found.score.shape[1] != _WITH_A_SURE_ONE:
        return found
    part = slice(1, None) if several else slice(0, 1)
    return Candidates(logits=found.logits[:, part], score=found.score[:, part])


def _names(running: RunningGraph) -> str:
    return f"{', '.join(running.graph.inputs)} → {', '.join(running.graph.outputs)}"
