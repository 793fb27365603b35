"""Which cell of the cameras with depth an instruction means at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import ModalityShape, Pointed, Seen, learnt, with_readout
from robot_vision.models.layers.attention import NEVER, Block, hiding_bias, perceptron
from robot_vision.models.policies.pixel_points import Located, Locator, PlaceWaves

_HEADS = 4


class Pointing(nn.Module):
    """`forward(seen, located by camera)` → what is seen, with a modality `pointed` of one token.

    Cells look at the words and the arm, and weigh the places in them by what they found; the
    token is their mean, and the mean place. Keyframes of demonstrations say which place was meant,
    so that no box has to be labelled (places are chosen so by Act3D, arXiv:2306.17817).
    """

    shape = ModalityShape(kind="pointed", rows=1, columns=1)
    parts = 2  # by two: places of a cell

    def __init__(
        self, width: int, *, rows: Sequence[str], locators: Mapping[str, Locator]
    ) -> None:
        """`rows` are the modalities that say what is meant: words, state, tracks."""
        super().__init__()
        self.rows = tuple(rows)
        self.locators = nn.ModuleDict(dict(locators))
        self.nothing = learnt(1, width)
        self.look = Block(width, _HEADS)
        self.norm = nn.LayerNorm(width)
        self.logits = perceptron(width, width, self.parts**2)
        self.waves = PlaceWaves()
        self.out = perceptron(width + self.waves.numbers, 2 * width, width)

    def forward(self, seen: Seen, located: Mapping[str, Located]) -> Seen:
        cells = self._cells(seen, located)
        pointed = self._pointed(cells, located)
        weights = pointed.logits.softmax(dim=1).unsqueeze(1)
        place_m = weights @ pointed.from_tool_m
        mean = weights.unflatten(2, (-1, self.parts**2)).sum(dim=3) @ cells
        return replace(
            seen,
            tokens={**seen.tokens, "pointed": self.out(torch.cat([mean, self.waves(place_m)], 2))},
            present={**seen.present, "pointed": pointed.is_measured.any(dim=1, keepdim=True)},
            pointed=pointed,
        )

    def _cells(self, seen: Seen, located: Mapping[str, Located]) -> Tensor:
        """Of the newest pictures, having seen what is said, f32 [b,cells,d]."""
        said, there = with_readout(self.nothing, *seen.joined(self.rows))
        newest = [
            seen.joined([f"{camera}.color"])[0][:, -at.in_base_m.shape[2] // self.parts**2 :]
            for camera, at in located.items()
        ]
        return self.norm(self.look(torch.cat(newest, dim=1), said, hiding_bias(there)))

    def _pointed(self, cells: Tensor, located: Mapping[str, Located]) -> Pointed:
        """At the places of the newest pictures, those of a cell one after the other."""
        from_tool_m = torch.cat([self._by_cell(c, at.from_tool_m) for c, at in located.items()], 1)
        measured = [self._by_cell(c, at.is_measured) for c, at in located.items()]
        is_measured = torch.cat(measured, dim=1)
        return Pointed(
            logits=torch.where(is_measured[..., 0], self.logits(cells).flatten(1), NEVER),
            from_tool_m=torch.where(is_measured, from_tool_m, 0.0),
            is_measured=is_measured[..., 0],
        )

    def _by_cell(self, camera: str, places: Tensor) -> Tensor:
        """Of the newest of [b,n,rows·columns,c], row by row, as [b,places,c] cell by cell."""
        locator = self.locators[camera]
        assert isinstance(locator, Locator)
        rows, columns = (count // self.parts for count in locator.grid)
        fine = places[:, -1].unflatten(1, (rows, self.parts, columns, self.parts))
        return fine.transpose(2, 3).flatten(1, 4)
