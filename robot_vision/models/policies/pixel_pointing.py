"""Which cell of the cameras with depth an instruction refers to at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import (
    ModalityShape,
    Pointed,
    Seen,
    learnt,
    with_readout,
)
from robot_vision.models.layers.attention import NEVER, Block, hiding_bias, perceptron
from robot_vision.models.layers.language import mean_of_present
from robot_vision.models.layers.resample import resample
from robot_vision.models.policies.pixel_points import Located, Locator, PlaceWaves

_HEADS = 4
_COLOR_WIDTH, _COLOR_HIDDEN = 32, 64
_BLACK = 0.05  # darker colors have no hue


class ColorMatch(nn.Module):
    """How well the color (0 to 1) of each place matches the words `said`.

    Pixels show colors under some light, so each RGB value comes with its hue at full brightness,
    and with the brightness and tint of the whole picture.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.color = perceptron(6 + 9, _COLOR_HIDDEN, _COLOR_WIDTH)
        self.said = nn.Linear(width, _COLOR_WIDTH)

    def forward(
        self, colors: Float[Tensor, "b cells parts 3"], said: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b cells parts"]:
        whole = colors.flatten(1, 2)
        light = torch.cat([whole.mean(dim=1), whole.amax(dim=1), whole.amin(dim=1)], dim=1)
        light = light[:, None, None].expand(*colors.shape[:3], -1)
        hue = colors / colors.amax(dim=3, keepdim=True).clamp(min=_BLACK)
        found = self.color(torch.cat([colors, hue, light], dim=3))
        return (found * self.said(said)[:, None, None]).sum(dim=3)


class Pointing(nn.Module):
    """Adds a modality `pointed` of one token to what is seen.

    Cells attend to the words and the arm, and weight the places in them by what they found and by
    the colors there; the token holds the weighted mean of cells and of positions. Keyframes of
    demonstrations supervise the choice, so no box has to be labelled (Act3D, arXiv:2306.17817,
    chooses places in the same way).
    """

    shape = ModalityShape(kind="pointed", rows=1, columns=1)

    def __init__(
        self, width: int, *, rows: Sequence[str], locators: Mapping[str, Locator], parts: int
    ) -> None:
        """`rows` are the modalities that cells attend to: words, state, tracks.

        A cell has `parts` × `parts` places; with more than one, the last channels of the finest
        maps hold a color for each.
        """
        super().__init__()
        self.rows, self.parts = tuple(rows), parts
        self.locators = nn.ModuleDict(dict(locators))
        self.nothing = learnt(1, width)
        self.look = Block(width, _HEADS)
        self.norm = nn.LayerNorm(width)
        self.logits = perceptron(width, width, parts**2)
        self.colors = ColorMatch(width) if parts > 1 else None
        self.waves = PlaceWaves()
        self.out = perceptron(width + self.waves.numbers, 2 * width, width)

    def forward(self, seen: Seen, located: Mapping[str, Located]) -> Seen:
        cells = self._cells(seen, located)
        pointed = self._pointed(seen, cells, located)
        weights = pointed.logits.softmax(dim=1).unsqueeze(1)
        place_m = weights @ pointed.from_tool_m
        mean = weights.unflatten(2, (-1, self.parts**2)).sum(dim=3) @ cells
        return replace(
            seen,
            tokens={**seen.tokens, "pointed": self.out(torch.cat([mean, self.waves(place_m)], 2))},
            present={**seen.present, "pointed": pointed.is_measured.any(dim=1, keepdim=True)},
            pointed=pointed,
        )

    def _cells(self, seen: Seen, located: Mapping[str, Located]) -> Float[Tensor, "b cells d"]:
        """Cells of the newest pictures, after attending to words and arm."""
        said, there = with_readout(self.nothing, *seen.joined(self.rows))
        newest = [
            seen.joined([f"{camera}.color"])[0][:, -at.in_base_m.shape[2] // self.parts**2 :]
            for camera, at in located.items()
        ]
        return self.norm(self.look(torch.cat(newest, dim=1), said, hiding_bias(there)))

    def _pointed(
        self, seen: Seen, cells: Float[Tensor, "b cells d"], located: Mapping[str, Located]
    ) -> Pointed:
        """Over the places of the newest pictures, cell by cell."""
        logits = self.logits(cells)
        if self.colors is not None:
            colors = torch.cat([self._colors(seen, camera) for camera in located], dim=1)
            logits = logits + self.colors(colors, mean_of_present(*seen.joined(self.rows)))
        from_tool_m = torch.cat([self._by_cell(c, at.from_tool_m) for c, at in located.items()], 1)
        measured = [self._by_cell(c, at.is_measured) for c, at in located.items()]
        is_measured = torch.cat(measured, dim=1)
        return Pointed(
            logits=torch.where(is_measured[..., 0], logits.flatten(1), NEVER),
            from_tool_m=torch.where(is_measured, from_tool_m, 0.0),
            is_measured=is_measured[..., 0],
        )

    def _colors(self, seen: Seen, camera: str) -> Float[Tensor, "b cells parts 3"]:
        """Colors of the places of the newest picture, 0 to 1."""
        rows, columns = self._grid(camera)
        colors = seen.maps[f"{camera}.color"][0][:, -1, -3 * self.parts**2 :]
        cells = resample(colors.float(), rows, columns).unflatten(1, (3, -1))
        return 0.5 * cells.flatten(3).permute(0, 3, 2, 1) + 0.5

    def _by_cell(
        self, camera: str, places: Shaped[Tensor, "b n places c"]
    ) -> Shaped[Tensor, "b places c"]:
        """The newest of `places`, reordered from row by row to cell by cell."""
        rows, columns = self._grid(camera)
        fine = places[:, -1].unflatten(1, (rows, self.parts, columns, self.parts))
        return fine.transpose(2, 3).flatten(1, 4)

    def _grid(self, camera: str) -> tuple[int, int]:
        """Rows and columns of cells."""
        locator = self.locators[camera]
        assert isinstance(locator, Locator)
        return locator.grid[0] // self.parts, locator.grid[1] // self.parts
