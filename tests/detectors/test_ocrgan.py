"""OCR-GAN: the frequency split against OpenCV's pyramid, channel selection, the augmentation and the losses by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from paad.detectors.network import repeatable
from paad.detectors.ocrgan import OcrGan, _hue_rotation, cut_paste
from paad.detectors.ocrgan_nets import ChannelSelection, Discriminator, Generator, split_bands
from paad.errors import UsageError


def _images(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(32, 40), (8, 8)])
def test_the_low_band_is_opencvs_pyramid(height: int, width: int) -> None:
    images = _images(2, height, width)
    low, _ = split_bands(images)
    for mine, image in zip(low, images, strict=True):
        expected = cv2.pyrUp(cv2.pyrDown(image.permute(1, 2, 0).numpy()))
        np.testing.assert_allclose(mine.permute(1, 2, 0), expected, atol=1e-6)


def test_bands_add_up_and_part_frequencies() -> None:
    images = _images(1, 16, 16)
    low, high = split_bands(images)
    torch.testing.assert_close(low + high, images)
    low, high = split_bands(torch.full((1, 3, 16, 16), 0.7))
    torch.testing.assert_close(low, torch.full_like(low, 0.7))
    checks = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float().expand(1, 3, -1, -1)
    low, high = split_bands(checks)
    torch.testing.assert_close(low, torch.full_like(low, 0.5), atol=1e-6, rtol=0)
    assert high.amin() < -0.49
    assert high.amax() > 0.49


@torch.no_grad()
def test_channel_selection_by_hand() -> None:
    """With zero weights but for one bias of ln 3 a channel is shared 3 : 1; the shares always add up to 1."""
    module = ChannelSelection(4)
    low, high = _images(2, 6, 6)[:, :1].expand(-1, 4, -1, -1), torch.ones(2, 4, 6, 6)
    torch.testing.assert_close(module.weights(low, high).sum(1), torch.ones(2, 4))
    for parameter in module.parameters():
        parameter.zero_()
    module.select[0].bias[2] = math.log(3.0)
    first, second = module(low, high)
    torch.testing.assert_close(first[:, 2], 0.75 * low[:, 2])
    torch.testing.assert_close(second[:, 2], 0.25 * high[:, 2])
    torch.testing.assert_close(first[:, 0], 0.5 * low[:, 0])


def test_pasted_patches() -> None:
    """Without a change of colour every changed pixel comes from the photo, in one rectangle of 2 to 15 %."""
    images = _images(6, 60, 60)
    with repeatable(2):
        pasted = cut_paste(images, jitter=0.0)
        again = cut_paste(images)
    assert not torch.equal(pasted, again)
    for image, out in zip(images, pasted, strict=True):
        y, x = torch.nonzero((image != out).any(0), as_tuple=True)
        area = (y.max() - y.min() + 1) * (x.max() - x.min() + 1)
        assert 0.015 * 3600 < area <= 0.16 * 3600
        assert len(y) == area
        colors = {tuple(c) for c in image.flatten(1).T.tolist()}
        at = out[:, y, x].T
        nearest = torch.cdist(at, torch.tensor(sorted(colors))).amin(1)
        assert nearest.max() < 1e-3
    with repeatable(2):
        assert torch.equal(cut_paste(images, jitter=0.0), pasted)
    assert float((again - images).abs().amax()) > 0


def test_hue_turns_about_gray() -> None:
    turn = _hue_rotation(1.0 / 3.0)
    torch.testing.assert_close(turn @ torch.ones(3), torch.ones(3))
    torch.testing.assert_close(turn @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(_hue_rotation(0.0), torch.eye(3))


def test_networks_have_the_papers_shapes() -> None:
    """At 256 pixels and width 64: eight steps down to a pixel, 512 channels at most; 2048 before the features."""
    with torch.device("meta"):
        generator, discriminator = Generator(256, 64), Discriminator(256, 64, 100)
        assert generator.low.widths == [3, 64, 128, 256, 512, 512, 512, 512, 512]
        assert discriminator.features[-1].weight.shape == (100, 2048, 4, 4)
        low, high = generator(torch.zeros(2, 3, 256, 256), torch.zeros(2, 3, 256, 256))
        assert low.shape == high.shape == (2, 3, 256, 256)
        logits, features = discriminator(low)
    assert logits.shape == (2,)
    assert features.shape == (2, 100)


@torch.no_grad()
def test_score_by_hand() -> None:
    detector = OcrGan(device="cpu", size=32, width=4, latent=8, blur_px=0.0)
    with repeatable(0):
        net = detector.build(None)
    images = _images(2, 32, 32)
    pictures = 2.0 * images - 1.0
    restored = net.restore(pictures)
    maps, scores = net(images)
    torch.testing.assert_close(maps, (pictures - restored).square().mean(1))
    features, others = net.discriminator(pictures)[1], net.discriminator(restored)[1]
    expected = 0.9 * (pictures - restored).square().mean((1, 2, 3)) + 0.1 * (features - others).square().mean(1)
    torch.testing.assert_close(scores, expected)


@torch.no_grad()
def test_losses_of_an_undecided_discriminator() -> None:
    """All logits 0 and all features 0: ln 2 for each verdict, and 50 times the mean absolute error."""
    detector = OcrGan(device="cpu", size=32, width=4, latent=8)
    with repeatable(0):
        net = detector.build(None)
    net.discriminator.features[-1].weight.zero_()
    pictures, restored = torch.zeros(2, 3, 32, 32), torch.full((2, 3, 32, 32), 0.1)
    assert detector.generator_loss(net, pictures, restored).item() == pytest.approx(math.log(2.0) + 5.0, rel=1e-5)
    losses = [detector.discriminator_loss(net, pictures, restored, pasted).item() for pasted in (None, pictures)]
    assert losses == pytest.approx([2 * math.log(2.0), 3 * math.log(2.0)], rel=1e-5)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="size is 96"):
        OcrGan(device="cpu", size=96).build(None)


def test_the_papers_settings() -> None:
    paper = OcrGan.presets["paper"]
    assert (paper.size, paper.width, paper.latent, paper.augment) == (256, 64, 100, True)
    assert (paper.adversarial_weight, paper.picture_weight, paper.latent_weight) == (1.0, 50.0, 1.0)
    assert (paper.epochs, paper.batch, paper.lr, paper.beta1) == (200, 32, 2e-4, 0.5)
