"""A picture as 1280 numbers: the pooled last features of EfficientNet-Lite0."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.harness.weights import load_weights
from anisora.metrics.local.torch_inference import single_threaded

__all__ = ["DIMENSIONS", "PREPROCESS", "SIDE", "WEIGHTS", "PictureEmbedding", "cosine_similarity"]

SIDE: Final = 224
DIMENSIONS: Final = 1280
WEIGHTS: Final = "efficientnet-lite0"
PREPROCESS: Final = f"rgb8-whole-{SIDE}x{SIDE}-area-minus127-over128-pooled"


class PictureEmbedding:
    """The network; its file is read with the first picture."""

    def __init__(self) -> None:
        self._network: Any = None

    def __call__(self, picture: Frames) -> NDArray[np.float32]:
        """Return the features of one picture.

        Args:
            picture: (H, W, 3) uint8 RGB of any size; the whole of it is scaled to 224x224.

        Returns:
            (1280,) float32, none below 0.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        import cv2
        import torch

        if self._network is None:
            self._network = _load()
        # Shrinking by area; where a side grows, OpenCV interpolates linearly.
        scaled = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        planes = (np.asarray(scaled, np.float32).transpose(2, 0, 1) - 127.0) / 128.0
        pixels = torch.from_numpy(planes[None]).contiguous(memory_format=torch.channels_last)
        with single_threaded():
            features = self._network.extract_features(pixels)
            pooled = features.mean(dim=(2, 3))[0]
        return np.array(pooled.numpy(), np.float32)


def _load() -> Any:  # noqa: ANN401 - a torch module
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng(devices=[]):  # a new network draws numbers that it never uses
        network = EfficientNet.from_name("efficientnet-lite0")
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    network.load_state_dict(load_weights(WEIGHTS, shapes))
    return _folded(network.eval())


def _folded(network: Any) -> Any:  # noqa: ANN401 - a torch module
    """Put each normalisation and each even padding into its convolution, and colours last: half the time on a CPU."""
    import torch
    from torch.nn.utils import fuse_conv_bn_eval

    stages = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        stages += [(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        stages += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for stage, convolution, normalisation in stages:
        fused: Any = fuse_conv_bn_eval(getattr(stage, convolution), getattr(stage, normalisation))
        if isinstance(fused.static_padding, torch.nn.ZeroPad2d):
            left, right, top, bottom = fused.static_padding.padding
            if (left, top) == (right, bottom):
                fused.padding, fused.static_padding = (top, left), torch.nn.Identity()
        setattr(stage, convolution, fused)
        setattr(stage, normalisation, torch.nn.Identity())
    for module in network.modules():
        if isinstance(module, torch.nn.ReLU6):
            module.inplace = True
    return network.to(memory_format=torch.channels_last)


def cosine_similarity(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosine of the angle between vectors.

    Args:
        first: (..., n).
        second: (..., n), of a shape that broadcasts with the first.

    Returns:
        (...), -1..1; 0 where a vector is zero.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    product = (a * b).sum(axis=-1)
    lengths = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return np.asarray(np.clip(np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0), -1, 1))
