"""AniSora V1, its RL successor and CogVideoX-5B: one adapter, with releases as data.

Reference: anisoraV1_infer/scripts/cogvideox/fastercache_sample_cogvideox_sp.py, anisoraV1_infer/__init__.py.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.device import Device, Dtype
from anisora.harness.errors import ConfigError
from anisora.harness.memory_estimate import DTYPE_BYTES
from anisora.harness.networks import inference, parameters_of
from anisora.harness.protocols import GenerationSettings
from anisora.harness.types import Frames, Sample
from anisora.models.cogvideox.autoencoder import decoded_frames, encode_image
from anisora.models.cogvideox.components import (
    CogVideoXFiles,
    CogVideoXParts,
    find_files,
    read_parts,
    shapes_alone,
    tiny_parts,
)
from anisora.models.cogvideox.faster_cache import faster_cache
from anisora.models.cogvideox.guide_slots import guides_in_slots, latent_frames, slot_of_frame
from anisora.models.cogvideox.releases import PRESETS, RELEASES, CogVideoXRelease
from anisora.models.cogvideox.request import request_prompt
from anisora.models.cogvideox.sampling import sample_latents, v1_solver
from anisora.models.cogvideox.stock_solver import stock_solver
from anisora.models.cogvideox.transformer_call import TransformerCall
from anisora.models.generation_memory import (
    TILE,
    ComponentMemory,
    GenerationMemory,
    decoder_working,
    transformer_working,
)
from anisora.models.generation_request import GenerationRequest
from anisora.models.generator import TINY_FRAMES, TINY_SIZE, DiffusionGenerator, RunsOn
from anisora.models.image_fit import covering
from anisora.models.placement import Offload, Placement

if TYPE_CHECKING:
    import torch

__all__ = ["CogVideoXGenerator"]

TEXT_PARAMETERS: Final = 4_762_310_656
"""Of T5 v1.1 XXL's encoder."""
_TEXT_TOKENS: Final = 226
_VAE_CHUNK: Final = 8
"""Frames that the VAE decodes at once."""
_SIDE: Final = 16
"""Pixels of a patch: sides are multiples of it."""
CACHES: Final = ("none", "fastercache")


@dataclass(frozen=True, slots=True)
class _Networks:
    parts: CogVideoXParts
    call: TransformerCall
    placement: Placement


class CogVideoXGenerator(DiffusionGenerator[_Networks]):
    """A release on CogVideoX's networks."""

    released: CogVideoXRelease

    def __init__(
        self,
        name: str,
        *,
        tiny: bool = False,
        weights: str = "",
        suffix: str = "recommended",
        motion: float | None = None,
        steps: int | None = None,
        preset: str | int = "",
        cache: str = "none",
        dtype: str = "auto",
        offload: Offload = "none",
        tiling: bool = False,
        devices: int = 1,
    ) -> None:
        """Take what the specification says.

        Args:
            name: One of RELEASES.
            tiny: Random numbers in small networks of the same classes.
            weights: A folder, converted or as published, or ``hf:owner/name@revision``.
            suffix: ``recommended`` or ``none``.
            motion: The motion score in the suffix.
            steps: Of the solver.
            preset: A name of PRESETS, such as 4090.
            cache: ``fastercache`` leaves computations out: faster, an approximation, and a field of the protocol.
            dtype: ``auto``, ``bfloat16``, ``float32``.
            offload: ``none``, ``model``, ``group``.
            tiling: The VAE works on parts of a frame.
            devices: How many make clips side by side.

        Raises:
            ConfigError: Something of it does not exist, or contradicts the rest.
        """
        if str(preset) not in ("", *PRESETS):
            raise ConfigError(f"`preset` got {preset!r}; expected one of {', '.join(PRESETS)}. Choose one.")
        if cache not in CACHES:
            raise ConfigError(f"`cache` got {cache!r}; expected one of {', '.join(CACHES)}. Choose one.")
        self._cached = cache == "fastercache"
        super().__init__(
            name,
            RELEASES[name],
            tiny=tiny,
            weights=weights,
            suffix=suffix,
            motion=motion,
            settings=GenerationSettings(steps=steps, **PRESETS.get(str(preset), {})),
            runs_on=RunsOn(dtype=dtype, offload=offload, tiling=tiling, devices=devices),
            protocol=(("approximation", "fastercache"),) if self._cached else (),
        )

    def settings(self, asked: GenerationSettings) -> GenerationRequest:
        """Return what is asked for.

        Raises:
            ConfigError: A side is no multiple of 16, or there is another guidance or shift than the released.
        """
        resolved = super().settings(asked)
        if resolved.height % _SIDE or resolved.width % _SIDE:
            raise ConfigError(
                f"`--height` and `--width` got {resolved.height} and {resolved.width}; expected multiples of {_SIDE}. "
                f"Ask for {resolved.height // _SIDE * _SIDE or _SIDE} and {resolved.width // _SIDE * _SIDE or _SIDE}."
            )
        if (resolved.guidance, resolved.shift) != (self.released.guidance, self.released.shift):
            raise ConfigError(
                f"`--guidance` and `--shift` got {resolved.guidance} and {resolved.shift} for {self._name!r}, whose "
                f"guidance follows a curve of strength {self.released.guidance:g} and whose levels are not shifted; "
                "leave both out."
            )
        return resolved

    def prompt(self, sample: Sample) -> str:
        """Return the prompt of a sample, with the scores as V1's entry point writes them."""
        text = sample.prompt or ""
        if self._suffix == "none":
            return text
        motion = self._motion if self._motion is not None else sample.condition.motion_score
        return request_prompt(text, None if motion is None else float(motion))

    def weight_files(self) -> tuple[Path, ...]:
        """Return everything that is read.

        Raises:
            WeightsMissing: Parts are absent; all of them are named.
        """
        return self._files().paths

    def _files(self) -> CogVideoXFiles:
        return find_files(self._name, self.released, self._weights)

    def load(self, device: Device, dtype: Dtype, runs_on: RunsOn) -> _Networks:
        """Make the networks and put them where they belong.

        Raises:
            WeightsMissing: Parts are absent.
            ConfigError: Tensors are not those of the configuration.
        """
        if self._tiny:
            height, width = TINY_SIZE
            parts = tiny_parts(self.released, height=height, width=width, num_frames=TINY_FRAMES, dtype=dtype)
        else:
            parts = read_parts(self._files(), self.released, dtype=dtype)
        placement = Placement(device, runs_on.offload)
        placement.group(parts.transformer)
        return _Networks(parts, TransformerCall(parts.transformer, stretched=self.released.stock), placement)

    def sample(self, networks: _Networks, request: GenerationRequest) -> Frames:
        """Return the frames of a request, of exactly its size.

        Returns:
            (T, H, W, 3) uint8.
        """
        import torch

        parts, placement = networks.parts, networks.placement
        is_stock = self.released.stock
        generator = torch.Generator().manual_seed(request.seed)
        with inference():
            texts = [request.prompt, ""] if is_stock else [request.prompt]
            text = parts.text.encode(texts, placement)
            condition = self._condition(networks, request, generator).to(placement.torch_device)
            placement.ready(parts.transformer)
            with faster_cache(networks.call) if self._cached else nullcontext():
                states = sample_latents(
                    networks.call,
                    condition,
                    text[:1],
                    generator,
                    steps=request.steps,
                    negative_text=text[1:] if is_stock else None,
                    solver=stock_solver if is_stock else v1_solver,
                    batched=self._batched,
                )
                for state in states:
                    latents = state
            placement.ready(parts.vae)
            return decoded_frames(parts.vae, latents, tiled=self._runs_on.tiling)

    @property
    def _batched(self) -> bool:
        # One branch after the other needs half the memory; only the cache needs both in one call.
        return self._cached or self._runs_on.offload == "none"

    def _condition(
        self, networks: _Networks, request: GenerationRequest, generator: "torch.Generator"
    ) -> "torch.Tensor":
        vae = networks.placement.ready(networks.parts.vae)
        frames = latent_frames(request.num_frames)
        latents, slots = [], []
        for position, image in request.images:
            pixels = covering(image, request.height, request.width) * 2 - 1
            latents.append(encode_image(vae, pixels[None], generator))
            slots.append(slot_of_frame(round(position * (request.num_frames - 1))))
        return guides_in_slots(latents, slots, frames)

    def memory(self, request: GenerationRequest, dtype: Dtype, *, published: bool = False) -> GenerationMemory:
        """Return what a request takes of a device.

        Args:
            request: Says how large the clip is.
            dtype: Number format.
            published: By the sizes of the released networks, whatever files there are.
        """
        files = None if self._tiny or published else self._files()
        transformer, vae = shapes_alone(files, tiny=self._tiny)
        text = self._library_weights(None if files is None else files.text, TEXT_PARAMETERS, dtype)
        config = transformer.config
        tokens = latent_frames(request.num_frames) * (request.height // _SIDE) * (request.width // _SIDE)
        width = config.num_attention_heads * config.attention_head_dim
        size = DTYPE_BYTES[dtype]
        weights = parameters_of(transformer) * size
        height, across, total = request.height, request.width, request.num_frames
        last = vae.config.block_out_channels[0]
        clip = 2 * 3 * total * height * across * size
        return GenerationMemory(
            components={
                "transformer": ComponentMemory(
                    weights=weights,
                    working=transformer_working(
                        tokens + _TEXT_TOKENS, width, 4 * width, dtype, batch=2 if self._batched else 1
                    ),
                    layer=weights // config.num_layers,
                ),
                "vae": ComponentMemory(
                    weights=parameters_of(vae) * size,
                    working=decoder_working(height, across, total, last, _VAE_CHUNK, dtype),
                    working_tiled=decoder_working(TILE, TILE, total, last, _VAE_CHUNK, dtype) + clip,
                ),
                "text_encoder": ComponentMemory(weights=text, working=0),
            },
            tiling=self._runs_on.tiling,
        )
