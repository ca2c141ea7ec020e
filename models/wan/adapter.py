"""AniSora V2 to V3.2, any-mask and Wan 2.1: one adapter, with releases as data.

Reference: anisoraV2_gpu/wan/image2video.py, anisoraV3/wan/image2video_any.py, anisoraV3.2/wan/image2video.py,
anisora_anymask/wan/image2video_any_mask1_spa.py (generate).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anisora.harness.device import Device, Dtype
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.memory_estimate import DTYPE_BYTES
from anisora.harness.networks import inference, parameters_of
from anisora.harness.protocols import GenerationSettings, VideoReader
from anisora.harness.types import Frames, Sample
from anisora.models.generation_memory import (
    TILE,
    ComponentMemory,
    GenerationMemory,
    decoder_working,
    transformer_working,
)
from anisora.models.generation_request import GenerationRequest
from anisora.models.generator import DiffusionGenerator, RunsOn
from anisora.models.image_features import image_features
from anisora.models.placement import Offload, Placement
from anisora.models.wan.components import WanFiles, WanParts, find_files, read_parts, shapes_alone, tiny_parts
from anisora.models.wan.condition_mask import MaskKind
from anisora.models.wan.condition_tensor import keyframe_condition, mask_video_condition
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.frame_ids import frame_ids
from anisora.models.wan.latent_size import VAE_STRIDE, LatentSize, latent_size
from anisora.models.wan.releases import NEGATIVE_PROMPT, RELEASES, WanRelease
from anisora.models.wan.sampling import (
    Experts,
    SamplingInputs,
    Schedule,
    euler_schedule,
    sampled_states,
    unipc_schedule,
)
from anisora.models.wan.step_lists import STEP_LISTS
from anisora.models.wan.video_vae import WanVae

if TYPE_CHECKING:
    import torch

__all__ = ["WanGenerator"]

_EXPERT_NAMES: Final = ("transformer", "transformer_2")
_SMALL_AREA: Final = 480 * 832
TEXT_PARAMETERS: Final = 5_680_910_336
"""Of UMT5-XXL's encoder."""
IMAGE_PARAMETERS: Final = 632_076_800
"""Of CLIP ViT-H/14's image encoder."""
_VAE_CHUNK: Final = VAE_STRIDE[0]
"""Frames that the VAE decodes at once."""


@dataclass(frozen=True, slots=True)
class _Networks:
    parts: WanParts
    vae: WanVae
    placement: Placement


class WanGenerator(DiffusionGenerator[_Networks]):
    """A release on Wan's networks."""

    released: WanRelease

    def __init__(
        self,
        name: str,
        *,
        tiny: bool = False,
        weights: str = "",
        suffix: str = "recommended",
        motion: float | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        shift: float | None = None,
        mask: MaskKind = "spatial",
        dtype: str = "auto",
        offload: Offload = "none",
        tiling: bool = False,
        attention: str = "",
        devices: int = 1,
    ) -> None:
        """Take what the specification says.

        Args:
            name: One of RELEASES.
            tiny: Random numbers in small networks of the same classes.
            weights: A folder, converted or as published, or ``hf:owner/name@revision``.
            suffix: ``recommended`` or ``none``.
            motion: The motion score in the suffix.
            steps: Evaluations of the network; 16 and 12 are V2's distilled lists.
            guidance: Of the prompt; 1 for distilled models.
            shift: Of the levels of noise.
            mask: Of the any-mask release: ``spatial`` keeps what lies outside of the region as it is in the first
                frame; ``temporal`` keeps it as it is in the ground truth, of which every eighth frame is known whole.
            dtype: ``auto``, ``bfloat16``, ``float32``.
            offload: ``none``, ``model``, ``group``.
            tiling: The VAE works on parts of a frame.
            attention: Backend of diffusers' attention, such as ``_native_npu``.
            devices: How many make clips side by side.

        Raises:
            ConfigError: Something of it does not exist, or contradicts the rest.
        """
        if mask not in ("spatial", "temporal"):
            raise ConfigError(f"`mask` got {mask!r}; expected spatial or temporal. Choose one.")
        if mask != "spatial" and RELEASES[name].conditioning != "masked":
            raise ConfigError(f"`mask` got {mask!r} for {name!r}, which takes no mask; leave it out.")
        self._mask = mask
        super().__init__(
            name,
            RELEASES[name],
            tiny=tiny,
            weights=weights,
            suffix=suffix,
            motion=motion,
            settings=GenerationSettings(steps=steps, guidance=guidance, shift=shift),
            runs_on=RunsOn(dtype=dtype, offload=offload, tiling=tiling, attention=attention, devices=devices),
        )

    def settings(self, asked: GenerationSettings) -> GenerationRequest:
        """Return what is asked for; sizes up to 480p have a shift of their own, and distilled lists the one of theirs.

        Raises:
            ConfigError: A setting is none of the model's.
        """
        resolved = super().settings(asked)
        given = asked.shift if asked.shift is not None else self._settings.shift
        listed = dict(self.released.step_lists).get(resolved.steps)
        if listed is not None:
            found_for = STEP_LISTS[listed].shift
            if given not in (None, found_for):
                raise ConfigError(
                    f"`shift` got {given:g} with {resolved.steps} steps, whose list was found for {found_for:g}; "
                    "expected that or none. Leave it out, or take another number of steps."
                )
            return replace(resolved, shift=found_for)
        if given is None and self.released.small_shift is not None and resolved.height * resolved.width <= _SMALL_AREA:
            return replace(resolved, shift=self.released.small_shift)
        return resolved

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Return why no clip can be made of a sample, or None.

        Raises:
            ConfigError: The settings are none of the model's.
        """
        if self._mask == "temporal" and sample.ground_truth is None:
            return "has no ground truth, of which mask=temporal keeps every eighth frame; add it or leave mask out"
        return super().refuses(sample, settings=settings)

    def request(
        self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader
    ) -> GenerationRequest:
        """Return what the networks are asked for.

        Raises:
            VideoUnreadable: An image, the mask or the ground truth cannot be read.
            DataError: The mask or the ground truth has too few frames.
        """
        request = super().request(sample, seed=seed, settings=settings, reader=reader)
        if self._mask != "temporal" or sample.ground_truth is None:
            return request
        frames, stream = reader.read_frames(sample.ground_truth)
        times = np.round(np.arange(request.num_frames) * stream.fps / self.released.fps).astype(np.int64)
        if times[-1] >= len(frames):
            raise DataError(
                f"Sample `{sample.id}` has a ground truth of {len(frames)} frames at {stream.fps:g} a second; expected "
                f"{request.num_frames} at {self.released.fps:g}. Ask for fewer --num-frames."
            )
        return replace(request, source=frames[times])

    def schedule(self, request: GenerationRequest) -> Schedule:
        """Return the levels of noise of a request."""
        listed = dict(self.released.step_lists).get(request.steps)
        if listed is not None:
            return euler_schedule(STEP_LISTS[listed].sigmas().tolist())
        return unipc_schedule(request.steps, request.shift)

    def check_weights(self) -> None:
        """Raise WeightsMissing unless all parts are there."""
        self._files()

    def _files(self) -> WanFiles:
        return find_files(self._name, self.released, self._weights)

    def load(self, device: Device, dtype: Dtype, runs_on: RunsOn) -> _Networks:
        """Make the networks and put them where they belong.

        Raises:
            WeightsMissing: Parts are absent.
            ConfigError: Tensors are not those of the configuration.
        """
        parts = tiny_parts(self.released, dtype) if self._tiny else read_parts(self._files(), dtype=dtype)
        placement = Placement(device, runs_on.offload)
        # The NPU's own attention takes half precision alone.
        fused = "_native_npu" if device.kind == "npu" and dtype != "float32" else ""
        attention = runs_on.attention or fused
        for transformer in parts.transformers:
            if attention:
                transformer.set_attention_backend(attention)
            placement.group(transformer)
        return _Networks(parts, WanVae(parts.vae, tiling=runs_on.tiling), placement)

    def sample(self, networks: _Networks, request: GenerationRequest) -> Frames:
        """Return the frames of a request.

        Returns:
            (T, H, W, 3) uint8; the size follows the aspect ratio of the first image.
        """
        import torch

        parts, placement = networks.parts, networks.placement
        is_guided = request.guidance not in (1.0, (1.0, 1.0))
        images = [torch.from_numpy(image).permute(2, 0, 1) / 255.0 for _, image in request.images]
        with inference():
            texts = [request.prompt, NEGATIVE_PROMPT] if is_guided else [request.prompt]
            text = parts.text.encode(texts, placement)
            seen = None if parts.image is None else image_features(images[0], parts.image, placement)
            condition = self._condition(networks, request, images)
            generator = torch.Generator().manual_seed(request.seed)
            noise = torch.randn(1, len(networks.vae.latents_mean), *condition.shape[1:], generator=generator)
            inputs = SamplingInputs(
                condition=condition[None].to(placement.torch_device),
                text=text[:1],
                negative_text=text[1:] if is_guided else None,
                image=seen,
            )
            latents = noise.to(placement.torch_device)
            states = sampled_states(
                _network(parts, placement), latents, inputs, self.schedule(request), request.guidance
            )
            for state in states:
                latents = state.latents
            placement.ready(parts.vae)
            video = networks.vae.decode(latents[0])
            frames: Frames = ((video.permute(1, 2, 3, 0) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
        return frames

    def _condition(
        self, networks: _Networks, request: GenerationRequest, images: "list[torch.Tensor]"
    ) -> "torch.Tensor":
        import torch

        networks.placement.ready(networks.parts.vae)
        rows, columns = images[0].shape[1:]
        size: LatentSize = latent_size(request.height * request.width, rows, columns)
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
            return mask_video_condition(video, known, self._mask, size, networks.vae.encode)
        if self.released.conditioning == "first":
            ids: tuple[int, ...] = (0,)
        else:
            ids = frame_ids([position for position, _ in request.images], total)
        return keyframe_condition(images, ids, total, size, networks.vae.encode)

    def memory(self, request: GenerationRequest, dtype: Dtype, *, published: bool = False) -> GenerationMemory:
        """Return what a request takes of a device.

        Args:
            request: Says how large the clip is.
            dtype: Number format.
            published: By the sizes of the released networks, whatever files there are.
        """
        files = None if self._tiny or published else self._files()
        transformer, vae = shapes_alone(self.released, files, tiny=self._tiny)
        text = self._library_weights(None if files is None else files.text, TEXT_PARAMETERS, dtype)
        config = transformer.config
        frames = (request.num_frames - 1) // VAE_STRIDE[0] + 1
        tokens = frames * (request.height // 16) * (request.width // 16)
        width = config.num_attention_heads * config.attention_head_dim
        size = DTYPE_BYTES[dtype]
        weights = parameters_of(transformer) * size
        block = ComponentMemory(
            weights=weights,
            working=transformer_working(tokens, width, config.ffn_dim, dtype),
            layer=weights // config.num_layers,
        )
        base = vae.config.base_dim
        components = dict.fromkeys(_EXPERT_NAMES[: 2 if self.released.experts else 1], block)
        components["vae"] = ComponentMemory(
            weights=parameters_of(vae) * DTYPE_BYTES["float32"],
            working=decoder_working(request.height, request.width, request.num_frames, base, _VAE_CHUNK, "float32"),
            working_tiled=decoder_working(TILE, TILE, request.num_frames, base, _VAE_CHUNK, "float32")
            + 2 * 3 * request.num_frames * request.height * request.width * DTYPE_BYTES["float32"],
        )
        components["text_encoder"] = ComponentMemory(weights=text, working=0)
        if not self.released.experts:
            image = self._library_weights(None if files is None else files.image, IMAGE_PARAMETERS, dtype)
            components["image_encoder"] = ComponentMemory(weights=image, working=0)
        return GenerationMemory(components=components, tiling=self._runs_on.tiling)


def _network(parts: WanParts, placement: Placement) -> Any:  # noqa: ANN401 - a Denoise or Experts
    calls = [_on_device(transformer, placement) for transformer in parts.transformers]
    return Experts(calls[0], calls[1]) if len(calls) > 1 else calls[0]


def _on_device(transformer: Any, placement: Placement) -> Any:  # noqa: ANN401 - a Denoise
    denoiser = WanDenoiser(transformer)

    def denoise(
        latents: "torch.Tensor", timestep: "torch.Tensor", text: "torch.Tensor", image: "torch.Tensor | None" = None
    ) -> "torch.Tensor":
        placement.ready(transformer)
        return denoiser(latents, timestep, text, image)

    return denoise
