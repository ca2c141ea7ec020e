"""What a request becomes before and after sampling: its conditions and its noise, and frames of latents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anisora.harness.types import Frames
from anisora.models.generation_request import GenerationRequest
from anisora.models.image_features import image_features
from anisora.models.placement import Placement
from anisora.models.wan.components import WanParts
from anisora.models.wan.condition_mask import MaskKind
from anisora.models.wan.condition_tensor import keyframe_condition, mask_video_condition
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.frame_ids import frame_ids
from anisora.models.wan.latent_size import latent_size
from anisora.models.wan.releases import NEGATIVE_PROMPT, Conditioning
from anisora.models.wan.sampling import Denoise, Experts, SamplingInputs
from anisora.models.wan.video_vae import WanVae

if TYPE_CHECKING:
    import torch

__all__ = ["PreparedRequest", "WanNetworks", "decoded_frames", "is_guided", "prepare_request"]


@dataclass(frozen=True, slots=True)
class WanNetworks:
    """The networks of a release on one device."""

    parts: WanParts
    vae: WanVae
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """What sampling begins with, on the device."""

    network: Denoise | Experts
    noise: "torch.Tensor"
    """(1, 16, T, h, w) float32, drawn on the CPU: of one seed the same on every device."""
    inputs: SamplingInputs
    guidance: float | tuple[float, float]


def is_guided(guidance: float | tuple[float, float]) -> bool:
    """Return whether the networks are asked a second time in each step, with the negative prompt."""
    return guidance not in (1.0, (1.0, 1.0))


def prepare_request(
    networks: WanNetworks, request: GenerationRequest, *, conditioning: Conditioning, mask: MaskKind
) -> PreparedRequest:
    """Encode the prompt and the images of a request, and draw its noise.

    Args:
        networks: Loaded.
        request: Says everything; the size of the latents follows the aspect ratio of the first image.
        conditioning: Of the release.
        mask: What a masked release keeps.
    """
    import torch

    parts, placement = networks.parts, networks.placement
    guided = is_guided(request.guidance)
    images = [torch.from_numpy(image).permute(2, 0, 1) / 255.0 for _, image in request.images]
    text = parts.text.encode([request.prompt, NEGATIVE_PROMPT] if guided else [request.prompt], placement)
    seen = None if parts.image is None else image_features(images[0], parts.image, placement)
    condition = _condition(networks, request, images, conditioning, mask)
    generator = torch.Generator().manual_seed(request.seed)
    noise = torch.randn(1, len(networks.vae.latents_mean), *condition.shape[1:], generator=generator)
    calls = [_on_device(transformer, placement) for transformer in parts.transformers]
    return PreparedRequest(
        network=Experts(calls[0], calls[1]) if len(calls) > 1 else calls[0],
        noise=noise.to(placement.torch_device),
        inputs=SamplingInputs(
            condition=condition[None].to(placement.torch_device),
            text=text[:1],
            negative_text=text[1:] if guided else None,
            image=seen,
        ),
        guidance=request.guidance,
    )


def decoded_frames(networks: WanNetworks, latents: "torch.Tensor") -> Frames:
    """Return the frames of latents.

    Args:
        networks: Loaded.
        latents: (1, 16, T, h, w), normalised.

    Returns:
        (frames, height, width, 3) uint8.
    """
    import torch

    networks.placement.ready(networks.parts.vae)
    video = networks.vae.decode(latents[0])
    frames: Frames = ((video.permute(1, 2, 3, 0) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
    return frames


def _condition(
    networks: WanNetworks,
    request: GenerationRequest,
    images: "list[torch.Tensor]",
    conditioning: Conditioning,
    mask: MaskKind,
) -> "torch.Tensor":
    import torch

    networks.placement.ready(networks.parts.vae)
    rows, columns = images[0].shape[1:]
    size = latent_size(request.height * request.width, rows, columns)
    total = request.num_frames
    if request.region_mask is not None:
        source = (
            np.broadcast_to(request.images[0][1], (total, rows, columns, 3))
            if request.source is None
            else request.source
        )
        video = torch.from_numpy(np.ascontiguousarray(source)).permute(0, 3, 1, 2) / 127.5 - 1
        moving = np.broadcast_to(request.region_mask, (total, *request.region_mask.shape[1:]))
        # White is what is kept, and the region is what is to move.
        known = torch.from_numpy(np.where(moving, -1.0, 1.0).astype(np.float32))[:, None]
        return mask_video_condition(video, known, mask, size, networks.vae.encode)
    ids: tuple[int, ...] = (0,)
    if conditioning != "first":
        ids = frame_ids([position for position, _ in request.images], total)
    return keyframe_condition(images, ids, total, size, networks.vae.encode)


def _on_device(transformer: Any, placement: Placement) -> Denoise:  # noqa: ANN401 - a module of diffusers
    denoiser = WanDenoiser(transformer)

    def denoise(
        latents: "torch.Tensor", timestep: "torch.Tensor", text: "torch.Tensor", image: "torch.Tensor | None" = None
    ) -> "torch.Tensor":
        placement.ready(transformer)
        return denoiser(latents, timestep, text, image)

    return denoise
