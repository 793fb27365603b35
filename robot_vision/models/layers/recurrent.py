"""An LSTM over rows of which some are absent, cell by cell: so it exports to any runtime."""

import torch
from torch import Tensor, nn


class MaskedLstm(nn.Module):
    """`forward(rows [b,n,width], present bool [b,n])` → last state f32 [b,width], all [b,n,width].

    Rows that are absent leave the state as it is (Hochreiter and Schmidhuber 1997).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)

    def forward(self, rows: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        hidden = cell = torch.zeros_like(rows[:, 0])
        states = []
        for row, there in zip(rows.unbind(1), present.unsqueeze(-1).unbind(1), strict=True):
            next_hidden, next_cell = self.cell(row, (hidden, cell))
            hidden = torch.where(there, next_hidden, hidden)
            cell = torch.where(there, next_cell, cell)
            states.append(hidden)
        return hidden, torch.stack(states, dim=1)
