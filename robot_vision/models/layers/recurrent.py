"""An LSTM over rows of which some are absent; unrolled, so that it exports to any runtime."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class MaskedLstm(nn.Module):
    """Returns the last state and all states (Hochreiter and Schmidhuber 1997).

    An absent row leaves the state unchanged.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)

    def forward(
        self, rows: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b n d"]]:
        hidden = cell = torch.zeros_like(rows[:, 0])
        states = []
        for row, there in zip(rows.unbind(1), present.unsqueeze(-1).unbind(1), strict=True):
            next_hidden, next_cell = self.cell(row, (hidden, cell))
            hidden = torch.where(there, next_hidden, hidden)
            cell = torch.where(there, next_cell, cell)
            states.append(hidden)
        return hidden, torch.stack(states, dim=1)
