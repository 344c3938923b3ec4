"""UniAD: its mask by hand, its attention against torch's, and that no token can see its own neighbourhood."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from paad.detectors.network import repeatable
from paad.detectors.uniad import UniAD, align, jittered
from paad.detectors.uniad_transformer import Attention, Reconstructor, neighbour_mask
from paad.errors import UsageError

OPTIONS: dict[str, Any] = {
    "weights": "random", "layers": ("layer2", "layer3"), "size": 64, "hidden": 16, "heads": 2, "encoder_layers": 1,
    "decoder_layers": 1, "feedforward": 16, "neighbours": 3,
}  # fmt: skip


def test_mask_by_hand() -> None:
    """On 4 x 4 tokens with a square of 3: a corner hides 4, an edge 6, an inner token 9."""
    allowed = neighbour_mask(4, 3).reshape(4, 4, 4, 4)
    hidden = (~allowed).sum((2, 3))
    assert hidden.tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]
    expected = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], dtype=torch.bool)
    assert torch.equal(allowed[2, 3], expected)
    assert torch.equal(neighbour_mask(5, 1), ~torch.eye(25, dtype=torch.bool))


def test_masks_that_hide_everything_are_refused() -> None:
    with pytest.raises(UsageError, match="hides all tokens"):
        neighbour_mask(3, 3)
    with pytest.raises(UsageError, match="neighbours is 4"):
        neighbour_mask(9, 4)


@torch.no_grad()
def test_attention_is_torchs() -> None:
    with repeatable(0):
        mine, theirs = Attention(12, 3, 0.0), nn.MultiheadAttention(12, 3, batch_first=True)
        query, key, value = torch.randn(3, 2, 16, 12)
    theirs.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key.weight, mine.value.weight]))
    theirs.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key.bias, mine.value.bias]))
    theirs.out_proj.load_state_dict(mine.out.state_dict())
    allowed = neighbour_mask(4, 3)
    expected = theirs(query, key, value, attn_mask=~allowed, need_weights=False)[0]
    torch.testing.assert_close(mine(query, key, value, allowed), expected, atol=1e-6, rtol=1e-5)


def _jacobian(model: Reconstructor, tokens: int, channels: int) -> torch.Tensor:
    """Which input tokens (column) each output token (row) depends on."""
    x = torch.randn(1, tokens, channels, generator=torch.Generator().manual_seed(0))
    full = torch.autograd.functional.jacobian(lambda t: model(t), x)
    return full[0, :, :, 0].abs().sum((1, 3)) > 0


def test_a_decoder_layer_cannot_copy() -> None:
    """An output depends on every token outside its neighbourhood, and on none inside."""
    with repeatable(0):
        model = Reconstructor(6, 5, 8, 2, 0, 1, 8, 0.0, 3).eval()
    assert torch.equal(_jacobian(model, 25, 6), neighbour_mask(5, 3))


def test_each_decoder_layer_has_queries_of_its_own() -> None:
    with repeatable(0):
        model = Reconstructor(6, 5, 8, 2, 1, 3, 8, 0.0, 3)
    queries = [layer.queries for layer in model.decoder]
    assert all(q.shape == (1, 25, 8) and q.requires_grad for q in queries)
    assert not torch.equal(queries[0], queries[1])
    model(torch.randn(1, 25, 6)).sum().backward()
    assert all(q.grad is not None and q.grad.abs().sum() > 0 for q in queries)


def test_position_is_column_then_row() -> None:
    model = Reconstructor(6, 3, 8, 2, 0, 1, 8, 0.0, 1)
    code = model.position().reshape(3, 3, 8)
    assert torch.equal(code[2, 1], torch.cat([model.columns[1], model.rows[2]]))


def test_jitter_is_in_proportion_to_the_norm() -> None:
    """Standard deviation 20 |token| / C: 20 * 5 / 100 = 1 for a token of norm 5, none for a token of zeros."""
    tokens = torch.zeros(1, 2, 100)
    tokens[0, 0, :25] = 1.0
    with repeatable(0):
        noise = torch.stack([jittered(tokens, 20.0) - tokens for _ in range(200)])
    assert noise[:, 0, 0].std().item() == pytest.approx(1.0, abs=0.02)
    assert noise[:, 0, 1].abs().max() == 0


def test_tokens_are_aligned_layers() -> None:
    fine = torch.arange(16.0).reshape(1, 1, 4, 4)
    coarse = torch.arange(8.0).reshape(1, 2, 2, 2)
    tokens = align({"a": fine, "b": coarse}, ("a", "b"), 2)
    assert tokens.tolist() == [[[0.0, 0.0, 4.0], [3.0, 1.0, 5.0], [12.0, 2.0, 6.0], [15.0, 3.0, 7.0]]]


@torch.no_grad()
def test_map_and_score_by_hand() -> None:
    """A reconstruction of zeros: the map is the tokens' norm, the score its largest 16 x 16 mean."""
    detector = UniAD(device="cpu", **OPTIONS)
    with repeatable(0):
        net = detector.build("random")
    net.reconstructor.leave.weight.zero_()
    net.reconstructor.leave.bias.zero_()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    norms = align(net.backbone(images), net.layers, 4).norm(dim=2).reshape(4, 4)
    maps, scores = net(images)
    assert maps.shape == (1, 64, 64)
    torch.testing.assert_close(maps[0, [0, 0, 63, 63], [0, 63, 0, 63]], norms[[0, 0, 3, 3], [0, 3, 0, 3]])
    means = maps[0].unfold(0, 16, 1).unfold(1, 16, 1).mean((2, 3))
    torch.testing.assert_close(scores[0], means.max())


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="size is 70"):
        UniAD(device="cpu", **{**OPTIONS, "size": 70}).build("random")
    with pytest.raises(UsageError, match="hidden is 18"):
        UniAD(device="cpu", **{**OPTIONS, "hidden": 18, "heads": 4}).build("random")


def test_the_papers_settings() -> None:
    paper = UniAD.presets["paper"]
    assert (paper.backbone, paper.layers) == ("efficientnet_b4", ("stage1", "stage2", "stage3", "stage4"))
    assert (paper.size, paper.stride, paper.hidden, paper.heads, paper.feedforward) == (224, 16, 256, 8, 1024)
    assert (paper.encoder_layers, paper.decoder_layers, paper.neighbours, paper.jitter) == (4, 4, 7, 20.0)
    assert (paper.epochs, paper.batch, paper.lr, paper.weight_decay, paper.clip_norm) == (1000, 64, 1e-4, 1e-4, 0.1)
    assert paper.dropout == 0.1
