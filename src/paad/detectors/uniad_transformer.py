"""UniAD's transformer: attention masked in the neighbourhood, a decoder with queries of its own in each layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.errors import UsageError


def neighbour_mask(side: int, neighbours: int) -> Tensor:
    """bool [side², side²]: True where a token (row) may look, which is outside the square around itself.

    Raises:
        UsageError: ``neighbours`` is even, or hides everything from some token.
    """
    if neighbours < 1 or neighbours % 2 == 0:
        raise UsageError(f"neighbours is {neighbours}; it must be odd and positive")
    at = torch.arange(side)
    near = (at[:, None] - at[None, :]).abs() <= neighbours // 2
    allowed = ~(near[:, None, :, None] & near[None, :, None, :]).reshape(side * side, side * side)
    if not allowed.any(1).all():
        raise UsageError(
            f"neighbours is {neighbours} on {side} x {side} tokens, which hides all tokens from some; make it smaller"
        )
    return allowed


class Attention(nn.Module):
    """Multi-head attention of ``query`` on ``key`` and ``value``, all [B, N, hidden]."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(hidden, hidden) for _ in range(4))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
        q, k, v = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        mixed: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return mixed


def _feedforward(hidden: int, feedforward: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, feedforward), nn.ReLU(), nn.Dropout(dropout), nn.Linear(feedforward, hidden))


class EncoderLayer(nn.Module):
    """Masked self-attention and a feed-forward part, each added and then normalized."""

    def __init__(self, hidden: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads, dropout)
        self.feedforward = _feedforward(hidden, feedforward, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor, allowed: Tensor) -> Tensor:
        placed = x + position
        x = self.norms[0](x + self.dropout(self.attention(placed, placed, x, allowed)))
        out: Tensor = self.norms[1](x + self.dropout(self.feedforward(x)))
        return out


class DecoderLayer(nn.Module):
    """Learned queries look at the encoder's output first, then at the layer before; what they hold is the output."""

    def __init__(self, tokens: int, hidden: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, tokens, hidden))
        self.first = Attention(hidden, heads, dropout)
        self.second = Attention(hidden, heads, dropout)
        self.feedforward = _feedforward(hidden, feedforward, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, before: Tensor, encoded: Tensor, position: Tensor, allowed: Tensor) -> Tensor:
        x = self.queries.expand(len(encoded), -1, -1)
        seen = self.first(x + position, encoded + position, encoded, allowed)
        x = self.norms[0](x + self.dropout(seen))
        seen = self.second(x + position, before + position, before, allowed)
        x = self.norms[1](x + self.dropout(seen))
        out: Tensor = self.norms[2](x + self.dropout(self.feedforward(x)))
        return out


class Reconstructor(nn.Module):
    """Tokens [B, side², C] to their reconstruction of the same shape."""

    allowed: Tensor

    def __init__(
        self,
        channels: int,
        side: int,
        hidden: int,
        heads: int,
        encoder_layers: int,
        decoder_layers: int,
        feedforward: int,
        dropout: float,
        neighbours: int,
    ) -> None:
        super().__init__()
        self.side = side
        self.rows = nn.Parameter(torch.rand(side, hidden // 2))
        self.columns = nn.Parameter(torch.rand(side, hidden // 2))
        self.enter, self.leave = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.encoder = nn.ModuleList(EncoderLayer(hidden, heads, feedforward, dropout) for _ in range(encoder_layers))
        self.decoder = nn.ModuleList(
            DecoderLayer(side * side, hidden, heads, feedforward, dropout) for _ in range(decoder_layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.register_buffer("allowed", neighbour_mask(side, neighbours), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def position(self) -> Tensor:
        """Learned code [side², hidden] of each token: its column's half, then its row's."""
        columns = self.columns[None].expand(self.side, -1, -1)
        rows = self.rows[:, None].expand(-1, self.side, -1)
        return torch.cat([columns, rows], 2).flatten(0, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        position = self.position()
        encoded = self.enter(tokens)
        for layer in self.encoder:
            encoded = layer(encoded, position, self.allowed)
        x = encoded
        for layer in self.decoder:
            x = layer(x, encoded, position, self.allowed)
        out: Tensor = self.leave(self.norm(x))
        return out
