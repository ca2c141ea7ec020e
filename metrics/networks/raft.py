"""RAFT, optical flow (Teed and Deng 2020), on torchvision's modules: work shared between pairs, and bounded memory."""

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, shapes_of, without_numbers
from anisora.harness.weights import Tensors
from anisora.metrics.networks.correlation import VOLUME_BYTES, Correlation

if TYPE_CHECKING:
    import torch

__all__ = ["SMALLEST_SIDE", "UNUSED_KEYS", "WEIGHTS", "Raft", "padded", "published_shapes", "torchvision_key"]

WEIGHTS: Final = "raft-things"
UNUSED_KEYS: Final = ("*.norm3.*",)
"""The file holds the norms of its downsampling branches under two names; those of ``downsample.1`` count."""
SMALLEST_SIDE: Final = 121
"""Pixels, padded to 128: below, the coarsest correlation is one pixel wide and the original gives no number."""
_MULTIPLE: Final = 8
_REMEMBERED_FRAMES: Final = 2
_RENAMED: Final = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    (r"\.(layer\d\.\d)\.conv(\d)\.", r".\1.convnormrelu\2.0."),
    (r"\.(layer\d\.\d)\.norm(\d)\.", r".\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


def torchvision_key(key: str) -> str:
    """Return torchvision's name for a key of the published file.

    Example:
        >>> torchvision_key("module.update_block.gru.convz1.bias")
        'update_block.recurrent_block.convgru1.convz.bias'
    """
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


_PUBLISHED: Final = (
    (r"^feature_encoder\.", "fnet."),
    (r"^context_encoder\.", "cnet."),
    (r"^(\w+net)\.convnormrelu\.0\.", r"\1.conv1."),
    (r"^(\w+net)\.convnormrelu\.1\.", r"\1.norm1."),
    (r"^(\w+net)\.conv\.", r"\1.conv2."),
    (r"\.convnormrelu(\d)\.0\.", r".conv\1."),
    (r"\.convnormrelu(\d)\.1\.", r".norm\1."),
    (r"\.motion_encoder\.convcorr(\d)\.0\.", r".encoder.convc\1."),
    (r"\.motion_encoder\.convflow(\d)\.0\.", r".encoder.convf\1."),
    (r"\.motion_encoder\.conv\.0\.", ".encoder.conv."),
    (r"\.recurrent_block\.convgru(\d)\.conv([zrq])\.", r".gru.conv\2\1."),
    (r"^mask_predictor\.convrelu\.0\.", "update_block.mask.0."),
    (r"^mask_predictor\.conv\.", "update_block.mask.2."),
)


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Return {key: shape} of the published file, without the ``module.`` that stands before each of its keys."""
    shapes: dict[str, tuple[int, ...]] = {}
    for key, shape in shapes_of(Raft.empty()).items():
        for pattern, replacement in _PUBLISHED:
            key = re.sub(pattern, replacement, key)
        shapes[key] = shape
        if key.startswith("cnet.") and ".downsample.1." in key:
            shapes[key.replace(".downsample.1.", ".norm3.")] = shape
    return shapes


def padded(pixels: "torch.Tensor", multiple: int = _MULTIPLE) -> "torch.Tensor":
    """Repeat the border until both sides are multiples of a number: half of it, rounded down, at the left and the top.

    Args:
        pixels: (N, C, h, w).
        multiple: Pixels.
    """
    import torch

    rows, columns = (-pixels.shape[2] % multiple, -pixels.shape[3] % multiple)
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return torch.nn.functional.pad(pixels, sides, mode="replicate")


class Raft:
    """From two frames to the flow between them."""

    def __init__(self, state: Tensors | None = None, *, updates: int = 20, volume_bytes: int = VOLUME_BYTES) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            updates: Iterations; VBench has 20.
            volume_bytes: Largest volume of all pairs that is kept; larger ones are read product by product.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        self.module: Any = filled(self.empty(), WEIGHTS, state=state, rename=torchvision_key, superfluous=UNUSED_KEYS)
        self._updates, self._volume_bytes = updates, volume_bytes
        self._features: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self.encoded = 0
        """Frames that went through the feature encoder."""

    @staticmethod
    def empty() -> "torch.nn.Module":
        """Return torchvision's module without numbers; ``torchvision_key`` maps the published file's keys to its."""
        from torchvision.models.optical_flow import raft_large

        with without_numbers():
            module: torch.nn.Module = raft_large(weights=None)
        return module

    def __call__(self, first: "torch.Tensor", second: "torch.Tensor", digests: tuple[bytes, bytes]) -> "torch.Tensor":
        """Return the flow from the first frame to the second.

        The feature encoder sees each frame once: consecutive pairs share one.

        Args:
            first: (1, 3, h, w) float32, 0..255; sides of SMALLEST_SIDE and more.
            second: The same of the later frame.
            digests: Of the pixels of both.

        Returns:
            (2, H, W) float32 on the CPU: x and y in pixels, over the frame padded to multiples of 8.
        """
        import torch
        from torchvision.models.optical_flow._utils import make_coords_grid, upsample_flow

        module = self.module
        device = next(module.parameters()).device
        with inference():
            images = [padded(pixels.to(device) / 127.5 - 1.0) for pixels in (first, second)]
            maps = [self._encoded(image, digest) for image, digest in zip(images, digests, strict=True)]
            correlation = Correlation(
                *maps,
                levels=module.corr_block.num_levels,
                radius=module.corr_block.radius,
                volume_bytes=self._volume_bytes,
            )
            context = module.context_encoder(images[0])
            channels = module.update_block.hidden_state_size
            hidden, given = torch.tanh(context[:, :channels]), torch.relu(context[:, channels:])
            start = make_coords_grid(1, *context.shape[2:], device=device)
            places = start.clone()
            for _ in range(self._updates):
                hidden, change = module.update_block(hidden, given, correlation.read(places), places - start)
                places = places + change
            flow: torch.Tensor = upsample_flow(flow=places - start, up_mask=module.mask_predictor(hidden))[0]
        return flow.cpu()

    def _encoded(self, image: "torch.Tensor", digest: bytes) -> "torch.Tensor":
        found = self._features.pop(digest, None)
        if found is None:
            found = self.module.feature_encoder(image)
            self.encoded += 1
        self._features[digest] = found
        while len(self._features) > _REMEMBERED_FRAMES:
            self._features.popitem(last=False)
        return found
