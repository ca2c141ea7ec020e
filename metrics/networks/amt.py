"""AMT-S, which draws the frame between two others (Li et al. 2023, arXiv 2304.09790).

Written from a description of its layers; the names of its parts are those of the published file.
"""

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn
from torch.nn.functional import grid_sample, interpolate, leaky_relu

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors
from anisora.metrics.networks.correlation import VOLUME_BYTES, Correlation
from anisora.metrics.networks.raft import padded

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SMALLEST_SIDE", "WEIGHTS", "AmtS"]

WEIGHTS: Final = "amt-s"
SMALLEST_SIDE: Final = 128
"""Pixels, after padding: below, the coarsest correlation is one pixel wide and the original gives no number."""
_MULTIPLE: Final = 16
_LEVELS: Final = 4
_RADIUS: Final = 3
_SIDE_CHANNELS: Final = 20
_FLOWS: Final = 3
_MIDDLE: Final = 0.5
"""Where between the two frames the drawn one lies."""


class AmtS:
    """From two frames to the one between them."""

    def __init__(self, state: Tensors | None = None, *, volume_bytes: int = VOLUME_BYTES) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            volume_bytes: Largest volume of all pairs that is kept for both directions together.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        self.module: Any = filled(self.empty(), WEIGHTS, state=state, inside="state_dict")
        self.module.volume_bytes = volume_bytes

    @staticmethod
    def empty() -> nn.Module:
        """Return the module without numbers; its keys are those of the published file."""
        with without_numbers():
            return _Interpolator()

    def __call__(self, first: "Tensor", second: "Tensor") -> "Tensor":
        """Return the frame in the middle.

        Args:
            first: (1, 3, h, w) float32, 0..1.
            second: The same of the later frame.

        Returns:
            (3, h, w) float32 on the CPU, 0..1.
        """
        height, width = first.shape[2:]
        device = next(self.module.parameters()).device
        with inference():
            drawn = self.module(*(padded(pixels.to(device), _MULTIPLE) for pixels in (first, second)))
        top, left = (drawn.shape[2] - height) // 2, (drawn.shape[3] - width) // 2
        cut: Tensor = drawn[0, :, top : top + height, left : left + width]
        return cut.cpu()


class _Interpolator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.volume_bytes = VOLUME_BYTES
        self.feat_encoder = _FeatureEncoder()
        self.encoder = _Pyramid((20, 32, 44, 56))
        self.decoder4 = _decoder(113, 112, 4 + 44)
        self.decoder3 = _decoder(136, 132, 4 + 32)
        self.decoder2 = _decoder(100, 96, 4 + 20)
        self.decoder1 = _decoder(64, 60, 8 * _FLOWS)
        self.update4, self.update3, self.update2 = _Update(44, 1), _Update(32, 2), _Update(20, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * _FLOWS, 6 * _FLOWS, 3, padding=1),
            nn.PReLU(6 * _FLOWS),
            nn.Conv2d(6 * _FLOWS, 3, 3, padding=1),
        )

    def forward(self, first: "Tensor", second: "Tensor") -> "Tensor":
        # One number for the pair: what a frame's features are depends on its partner, so pairs cannot share them.
        mean = torch.cat([first, second], dim=2).mean(dim=(1, 2, 3), keepdim=True)
        first, second = first - mean, second - mean
        maps = self.feat_encoder(first), self.feat_encoder(second)
        bytes_each = self.volume_bytes // 2
        forward, backward = (
            Correlation(one, other, levels=_LEVELS, radius=_RADIUS, volume_bytes=bytes_each)
            for one, other in (maps, maps[::-1])
        )
        ones, others = self.encoder(first), self.encoder(second)
        moment = torch.full_like(ones[-1][:, :1], _MIDDLE)
        found = self._decoded(self.decoder4, torch.cat([ones.pop(), others.pop(), moment], dim=1))
        flows, features = found[:, :4], found[:, 4:]
        flows, features = self._refined(self.update4, flows, features, forward, backward)
        for decoder, update in ((self.decoder3, self.update3), (self.decoder2, self.update2)):
            found = self._decoded(decoder, _aligned(features, ones.pop(), others.pop(), flows))
            flows, features = found[:, :4] + 2 * _resized(flows, 2), found[:, 4:]
            flows, features = self._refined(update, flows, features, forward, backward)
        aligned = _aligned(features, ones.pop(), others.pop(), flows)
        # The last steps see the most pixels: what only came before them makes room.
        del forward, backward, maps, found, features
        found = self._decoded(self.decoder1, aligned)
        del aligned
        drawn = self._drawn(found, flows, first, second, mean)
        del found, first, second
        middle = drawn.view(1, _FLOWS, 3, *drawn.shape[2:]).mean(dim=1)
        combined: Tensor = (middle + self.comb_block(drawn)).clamp(0, 1)
        return combined

    def _decoded(self, decoder: nn.Module, given: "Tensor") -> "Tensor":
        found: Tensor = decoder.get_submodule("convblock")(given)
        return found

    def _refined(
        self, update: "_Update", flows: "Tensor", features: "Tensor", forward: Correlation, backward: Correlation
    ) -> tuple["Tensor", "Tensor"]:
        coarse = _resized(flows, 1 / update.scale) / update.scale
        height, width = coarse.shape[2:]
        y, x = torch.meshgrid(
            torch.arange(height, device=coarse.device), torch.arange(width, device=coarse.device), indexing="ij"
        )
        places = torch.stack([x, y])[None].to(coarse.dtype)
        read = [
            forward.read(places + coarse[:, 2:] / _MIDDLE),
            backward.read(places + coarse[:, :2] / (1 - _MIDDLE)),
        ]
        change, more = update(features, coarse, torch.cat(read, dim=1))
        return flows + change, features + more

    def _drawn(self, found: "Tensor", flows: "Tensor", first: "Tensor", second: "Tensor", mean: "Tensor") -> "Tensor":
        """Return (1, 9, h, w): one picture for each of the flows."""
        fine = 2 * _resized(flows, 2)
        drawn: list[Tensor] = []
        for at in range(_FLOWS):
            one, other = (
                _warped(image, found[:, 6 * side + 2 * at :][:, :2] + fine[:, 2 * side : 2 * side + 2])
                for side, image in enumerate((first, second))
            )
            mask = torch.sigmoid(found[:, 12 + at : 13 + at])
            drawn.append(one * mask + other * (1 - mask) + mean + found[:, 15 + 3 * at : 18 + 3 * at])
        return torch.cat(drawn, dim=1)


class _FeatureEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2, padding=3)
        self.layer1 = nn.Sequential(_Bottleneck(32, 32, 1), _Bottleneck(32, 32, 1))
        self.layer2 = nn.Sequential(_Bottleneck(32, 64, 2), _Bottleneck(64, 64, 1))
        self.layer3 = nn.Sequential(_Bottleneck(64, 96, 2), _Bottleneck(96, 96, 1))
        self.conv2 = nn.Conv2d(96, 84, 1)
        self.norm = nn.InstanceNorm2d(32)

    def forward(self, pixels: "Tensor") -> "Tensor":
        hidden = torch.relu(self.norm(self.conv1(pixels)))
        found: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(hidden))))
        return found


class _Bottleneck(nn.Module):
    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, made // 4, 1)
        self.conv2 = nn.Conv2d(made // 4, made // 4, 3, stride=stride, padding=1)
        self.conv3 = nn.Conv2d(made // 4, made, 1)
        self.norm = nn.InstanceNorm2d(made)  # without parameters: one serves all widths
        self.downsample = (
            nn.Sequential(nn.Conv2d(given, made, 1, stride=stride), nn.InstanceNorm2d(made)) if stride > 1 else None
        )

    def forward(self, hidden: "Tensor") -> "Tensor":
        branch = hidden
        for convolution in (self.conv1, self.conv2, self.conv3):
            branch = torch.relu(nn.functional.instance_norm(convolution(branch)))
        shortcut = hidden if self.downsample is None else self.downsample(hidden)
        return torch.relu(shortcut + branch)


class _Pyramid(nn.Module):
    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        given = 3
        for at, made in enumerate(widths, start=1):
            stage = nn.Sequential(_convolution(given, made, stride=2), _convolution(made, made))
            self.add_module(f"pyramid{at}", stage)
            given = made
        self._count = len(widths)

    def forward(self, pixels: "Tensor") -> list["Tensor"]:
        found, hidden = [], pixels
        for at in range(1, self._count + 1):
            hidden = self.get_submodule(f"pyramid{at}")(hidden)
            found.append(hidden)
        return found


class _Update(nn.Module):
    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.convc1 = nn.Conv2d(392, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(84, 68, 3, padding=1)
        self.gru = _two_convolutions(68 + 4 + width, 76)
        self.feat_head = _two_convolutions(76, width)
        self.flow_head = _two_convolutions(76, 4)

    def forward(self, features: "Tensor", flows: "Tensor", correlation: "Tensor") -> tuple["Tensor", "Tensor"]:
        """Return the changes of flows and features, at the features' size."""
        seen = leaky_relu(self.convc1(correlation), 0.1)
        moved = leaky_relu(self.convf2(leaky_relu(self.convf1(flows), 0.1)), 0.1)
        both = leaky_relu(self.conv(torch.cat([seen, moved], dim=1)), 0.1)
        hidden = self.gru(torch.cat([both, flows, _resized(features, 1 / self.scale)], dim=1))
        change = self.scale * _resized(self.flow_head(hidden), self.scale)
        return change, _resized(self.feat_head(hidden), self.scale)


class _Residual(nn.Module):
    """Two of its four convolutions see the last channels alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv3 = _convolution(width, width), _convolution(width, width)
        self.conv2, self.conv4 = (_convolution(_SIDE_CHANNELS, _SIDE_CHANNELS) for _ in range(2))
        self.conv5 = nn.Conv2d(width, width, 3, padding=1)
        self.prelu = nn.PReLU(width)

    def forward(self, hidden: "Tensor") -> "Tensor":
        branch = hidden
        for whole, side in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            branch = whole(branch)
            branch = torch.cat([branch[:, :-_SIDE_CHANNELS], side(branch[:, -_SIDE_CHANNELS:])], dim=1)
        found: Tensor = self.prelu(hidden + self.conv5(branch))
        return found


def _decoder(given: int, width: int, made: int) -> nn.Module:
    decoder = nn.Module()
    decoder.convblock = nn.Sequential(
        _convolution(given, width), _Residual(width), nn.ConvTranspose2d(width, made, 4, stride=2, padding=1)
    )
    return decoder


def _convolution(given: int, made: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, stride=stride, padding=1), nn.PReLU(made))


def _two_convolutions(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, 76, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(76, made, 3, padding=1))


def _aligned(features: "Tensor", one: "Tensor", other: "Tensor", flows: "Tensor") -> "Tensor":
    return torch.cat([features, _warped(one, flows[:, :2]), _warped(other, flows[:, 2:]), flows], dim=1)


def _resized(values: "Tensor", factor: float) -> "Tensor":
    if factor == 1:
        return values
    return interpolate(values, scale_factor=factor, mode="bilinear", align_corners=False)


def _warped(picture: "Tensor", flow: "Tensor") -> "Tensor":
    """Return the picture read where the flow points to; what lies outside is the border's."""
    height, width = picture.shape[2:]
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, device=picture.device),
        torch.linspace(-1, 1, width, device=picture.device),
        indexing="ij",
    )
    grid = torch.stack([x + flow[:, 0] / ((width - 1) / 2), y + flow[:, 1] / ((height - 1) / 2)], dim=-1)
    return grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)
