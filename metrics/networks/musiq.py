"""MUSIQ trained on SPAQ: how good a picture is technically (Ke et al. 2021; pyiqa, archs/musiq_arch.py, MUSIQ)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors

if TYPE_CHECKING:
    import torch

__all__ = ["LARGEST_RATIO", "LAYERS", "LONG_SIDES", "PATCH", "WEIGHTS", "Musiq", "grid_places", "scale_size"]

WEIGHTS: Final = "musiq-spaq"
LAYERS: Final = 14
LONG_SIDES: Final = (224, 384)
"""Long side of the two resized copies of a picture, pixels; the picture as it is comes third."""
PATCH: Final = 32
LARGEST_RATIO: Final = 447
"""Of the long side to the short one; beyond it a side of the smallest copy is 0."""

_WIDTH: Final = 384
_HEADS: Final = 6
_GRID: Final = 10
_GROUPS: Final = 32
_STEM: Final = 64
_BLOCK: Final = 256
_PLACES: Final = 8  # a side of a patch after the two strides of the stem
_AT_ONCE: Final = 128  # patches through the stem in one call: more take more memory and, on a CPU, more time


def scale_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Return (height, width) of a copy with the given long side; halves go to the even number."""
    ratio = long_side / max(height, width)
    return round(height * ratio), round(width * ratio)


def grid_places(rows: int, columns: int) -> list[int]:
    """Return the place of every patch in the grid of 10x10 learned positions, row by row, 0..99."""
    return [_GRID * row // rows * _GRID + _GRID * column // columns for row in range(rows) for column in range(columns)]


class Musiq:
    """From pictures of any size to one number each, about 0..100.

    A picture is seen at three sizes. Each is cut into squares of 32 pixels, which pass a small convolutional stem and
    become tokens of one transformer. The published network also appends empty tokens and hides them from the others;
    without them the numbers are the same.
    """

    def __init__(self, state: Tensors | None = None, *, layers: int = LAYERS) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            layers: Of the transformer; the published file has 14.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        self.module: Any = filled(self.empty(layers), WEIGHTS, state=state)

    @staticmethod
    def empty(layers: int = LAYERS) -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published file."""
        with without_numbers():
            return _network(layers)

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of pictures.

        Args:
            pixels: (N, 3, h, w) float32, 0..1; no side above LARGEST_RATIO times the other.

        Returns:
            (N,) float32 on the CPU, about 0..100 and not clamped to it.
        """
        import torch

        encoder = self.module["transformer_encoder"]
        with inference():
            signed = pixels.to(encoder.cls.device) * 2 - 1
            scales = [self._tokens(picture, scale) for scale, picture in enumerate(_copies(signed))]
            hidden = torch.cat([encoder.cls.expand(len(signed), -1, -1), *scales], dim=1)
            for layer in encoder["transformer"].values():
                hidden = hidden + _attention(layer["attention"], layer["norm1"](hidden))
                inner = torch.nn.functional.gelu(layer["mlp"]["fc1"](layer["norm2"](hidden)))
                hidden = hidden + layer["mlp"]["fc2"](inner)
            scores: torch.Tensor = self.module["head"](encoder["encoder_norm"](hidden[:, 0]))[:, 0]
        return scores.cpu()

    def _tokens(self, picture: "torch.Tensor", scale: int) -> "torch.Tensor":
        """Return (N, rows * columns, 384) of (N, 3, h, w)."""
        import torch

        count, channels = picture.shape[:2]
        padded = _padded(picture, kernel=PATCH, stride=PATCH)
        rows, columns = padded.shape[2] // PATCH, padded.shape[3] // PATCH
        patches = padded.reshape(count, channels, rows, PATCH, columns, PATCH).permute(0, 2, 4, 1, 3, 5)
        # Picture by picture, so that the bits of one do not depend on where the patches of its neighbours end.
        parts = [
            self._embedded(some)
            for own in patches.reshape(count, rows * columns, channels, PATCH, PATCH)
            for some in own.split(_AT_ONCE)
        ]
        encoder = self.module["transformer_encoder"]
        position = encoder["posembed_input"]["position_emb"][0, grid_places(rows, columns)]
        place: torch.Tensor = position + encoder["scaleembed_input"]["scale_emb"][scale]
        return torch.cat(parts).view(count, rows * columns, _WIDTH) + place

    def _embedded(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Return (n, 384) of (n, 3, 32, 32)."""
        import torch

        module, relu = self.module, torch.nn.functional.relu
        stem = relu(module["gn_root"](_standardised(module["conv_root"], patches)))
        stem = torch.nn.functional.max_pool2d(_padded(stem, kernel=3, stride=2), 3, 2)
        block = module["block1"]
        inner = relu(block["gn1"](_standardised(block["conv1"], stem)))
        inner = relu(block["gn2"](_standardised(block["conv2"], inner)))
        inner = block["gn3"](_standardised(block["conv3"], inner))
        outer = block["gn_proj"](_standardised(block["conv_proj"], stem))
        channels_last = relu(inner + outer).permute(0, 2, 3, 1)
        embedded: torch.Tensor = module["embedding"](channels_last.flatten(1))
        return embedded


def _network(layers: int) -> "torch.nn.Module":
    from torch import empty, nn

    def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, side, stride, bias=False)

    def norm() -> nn.LayerNorm:
        return nn.LayerNorm(_WIDTH, eps=1e-6)

    def group_norm(channels: int) -> nn.GroupNorm:
        return nn.GroupNorm(_GROUPS, channels, eps=1e-4)

    def layer() -> nn.ModuleDict:
        projections = {name: nn.Linear(_WIDTH, _WIDTH) for name in ("query", "key", "value", "out")}
        inner = {"fc1": nn.Linear(_WIDTH, 3 * _WIDTH), "fc2": nn.Linear(3 * _WIDTH, _WIDTH)}
        return nn.ModuleDict(
            {
                "norm1": norm(),
                "attention": nn.ModuleDict(projections),
                "norm2": norm(),
                "mlp": nn.ModuleDict(inner),
            }
        )

    block = {
        "conv1": convolution(_STEM, _STEM, 1),
        "gn1": group_norm(_STEM),
        "conv2": convolution(_STEM, _STEM, 3),
        "gn2": group_norm(_STEM),
        "conv3": convolution(_STEM, _BLOCK, 1),
        "gn3": group_norm(_BLOCK),
        "conv_proj": convolution(_STEM, _BLOCK, 1),
        "gn_proj": group_norm(_BLOCK),
    }
    encoder = nn.ModuleDict(
        {
            "posembed_input": nn.ParameterDict({"position_emb": nn.Parameter(empty(1, _GRID * _GRID, _WIDTH))}),
            "scaleembed_input": nn.ParameterDict({"scale_emb": nn.Parameter(empty(len(LONG_SIDES) + 1, _WIDTH))}),
            "encoder_norm": norm(),
            "transformer": nn.ModuleDict({f"encoderblock_{place}": layer() for place in range(layers)}),
        }
    )
    encoder.register_parameter("cls", nn.Parameter(empty(1, 1, _WIDTH)))
    return nn.ModuleDict(
        {
            "conv_root": convolution(3, _STEM, 7, 2),
            "gn_root": nn.GroupNorm(_GROUPS, _STEM, eps=1e-6),
            "block1": nn.ModuleDict(block),
            "embedding": nn.Linear(_PLACES * _PLACES * _BLOCK, _WIDTH),
            "transformer_encoder": encoder,
            "head": nn.Linear(_WIDTH, 1),
        }
    )


def _copies(picture: "torch.Tensor") -> "Sequence[torch.Tensor]":
    import torch

    height, width = picture.shape[2:]
    resized = [
        torch.nn.functional.interpolate(
            picture, size=scale_size(height, width, side), mode="bicubic", align_corners=False
        )
        for side in LONG_SIDES
    ]
    return [*resized, picture]


def _padded(picture: "torch.Tensor", *, kernel: int, stride: int) -> "torch.Tensor":
    """Pad with zeros so that every stride has a window, as TensorFlow's SAME does: the odd one right and below."""
    import torch

    missing = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in picture.shape[2:]]
    (top, bottom), (left, right) = ((every // 2, every - every // 2) for every in missing)
    return torch.nn.functional.pad(picture, (left, right, top, bottom))


def _standardised(convolution: "torch.nn.Conv2d", inputs: "torch.Tensor") -> "torch.Tensor":
    """Convolve with kernels of mean 0 and deviation 1; the deviation is the unbiased one."""
    import torch

    kernels = convolution.weight
    mean = kernels.mean(dim=(1, 2, 3), keepdim=True)
    deviation = kernels.std(dim=(1, 2, 3), keepdim=True)
    side, stride = convolution.kernel_size[0], convolution.stride[0]
    padded = _padded(inputs, kernel=side, stride=stride)
    return torch.nn.functional.conv2d(padded, (kernels - mean) / (deviation + 1e-5), stride=stride)


def _attention(projections: Any, hidden: "torch.Tensor") -> "torch.Tensor":  # noqa: ANN401 - a dictionary of layers
    import torch

    count, length, width = hidden.shape
    query, key, value = (
        projections[name](hidden).view(count, length, _HEADS, width // _HEADS).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    attended = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    joined: torch.Tensor = projections["out"](attended.transpose(1, 2).reshape(count, length, width))
    return joined
