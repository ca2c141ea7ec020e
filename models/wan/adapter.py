"""AniSora V2 to V3.2, any-mask and Wan 2.1: one adapter, with releases as data.

Reference: anisoraV2_gpu/wan/image2video.py, anisoraV3/wan/image2video_any.py, anisoraV3.2/wan/image2video.py,
anisora_anymask/wan/image2video_any_mask1_spa.py (generate).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anisora.harness.device import Device, Dtype
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.networks import inference
from anisora.harness.protocols import GenerationSettings, VideoReader
from anisora.harness.types import Frames, Sample
from anisora.models.generation_memory import GenerationMemory
from anisora.models.generation_request import GenerationRequest
from anisora.models.generator import DiffusionGenerator, RunsOn
from anisora.models.placement import Offload, Placement
from anisora.models.wan.components import WanFiles, find_files, read_parts, tiny_parts
from anisora.models.wan.condition_mask import MaskKind
from anisora.models.wan.memory import IMAGE_PARAMETERS, TEXT_PARAMETERS, wan_memory
from anisora.models.wan.preparation import PreparedRequest, WanNetworks, decoded_frames, prepare_request
from anisora.models.wan.releases import RELEASES, WanRelease
from anisora.models.wan.sampling import Schedule, euler_schedule, sampled_states, unipc_schedule, velocity_at
from anisora.models.wan.step_lists import STEP_LISTS, StepList
from anisora.models.wan.step_search import Velocity
from anisora.models.wan.steps_file import StepsFile, read_steps
from anisora.models.wan.video_vae import WanVae

if TYPE_CHECKING:
    import torch

__all__ = ["WanGenerator"]

_SMALL_AREA: Final = 480 * 832


class WanGenerator(DiffusionGenerator[WanNetworks]):
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
        steps_file: str = "",
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
            steps_file: A list of steps that "anisora models search-steps" wrote, in place of a number of them.
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
        if steps_file != "" and steps is not None:
            raise ConfigError(
                f"`steps` got {steps} with `steps_file`, whose list says how many there are; leave one of them out."
            )
        self._mask = mask
        released = RELEASES[name]
        self._searched: StepsFile | None = None
        if steps_file != "":
            self._searched = read_steps(Path(str(steps_file)), model=name, tiny=tiny)
            told = self._searched.digest[:16]
            # Of the revision as well: a file that was changed is another run.
            released = replace(released, revision=f"{released.revision} with step list {told}")
        super().__init__(
            name,
            released,
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
        if self._searched is not None:
            count = len(self._searched.steps)
            if asked.steps not in (None, count):
                raise ConfigError(
                    f"`--steps` got {asked.steps} with a `steps_file` of {count}; expected that or none. Leave it out."
                )
            asked = replace(asked, steps=count)
        resolved = super().settings(asked)
        given = asked.shift if asked.shift is not None else self._settings.shift
        listed = self._listed(resolved)
        if listed is not None:
            if given not in (None, listed.shift):
                raise ConfigError(
                    f"`shift` got {given:g} with {resolved.steps} steps, whose list was found for {listed.shift:g}; "
                    "expected that or none. Leave it out, or take another number of steps."
                )
            return replace(resolved, shift=listed.shift)
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
        listed = self._listed(request)
        if listed is not None:
            return euler_schedule(listed.sigmas().tolist())
        return unipc_schedule(request.steps, request.shift)

    def sampling_details(self, request: GenerationRequest) -> dict[str, Any]:
        """Return the solver and, of a distilled sampling, its list of steps with that of its teacher."""
        listed = self._listed(request)
        told: dict[str, Any] = {"solver": self.schedule(request).solver}
        if listed is not None:
            told |= {"step_list": list(listed.steps), "teacher_steps": listed.teacher_steps}
        if self._searched is not None:
            told |= {"steps_file": self._searched.digest}
        return told

    def _listed(self, request: GenerationRequest) -> StepList | None:
        """Return the list of a distilled sampling: the one that was given, or a published one of as many steps."""
        if self._searched is not None:
            return self._searched.step_list
        name = dict(self.released.step_lists).get(request.steps)
        return None if name is None else STEP_LISTS[name]

    def weight_files(self) -> tuple[Path, ...]:
        """Return the files of all networks; none of random numbers.

        Raises:
            WeightsMissing: Parts are absent.
        """
        return () if self._tiny else self._files().paths

    def _files(self) -> WanFiles:
        return find_files(self._name, self.released, self._weights)

    def load(self, device: Device, dtype: Dtype, runs_on: RunsOn) -> WanNetworks:
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
        return WanNetworks(parts, WanVae(parts.vae, tiling=runs_on.tiling), placement)

    def sample(self, networks: WanNetworks, request: GenerationRequest) -> Frames:
        """Return the frames of a request.

        Returns:
            (T, H, W, 3) uint8; the size follows the aspect ratio of the first image.
        """
        with inference():
            prepared = self._prepared(networks, request)
            latents = prepared.noise
            for state in sampled_states(
                prepared.network, prepared.noise, prepared.inputs, self.schedule(request), prepared.guidance
            ):
                latents = state.latents
            return decoded_frames(networks, latents)

    def _prepared(self, networks: WanNetworks, request: GenerationRequest) -> PreparedRequest:
        return prepare_request(networks, request, conditioning=self.released.conditioning, mask=self._mask)

    @contextmanager
    def teacher(self, request: GenerationRequest) -> "Iterator[tuple[torch.Tensor, Velocity]]":
        """Hold a device and give what ``step_search.search_steps`` asks: the noise of a request, and its velocity.

        States and velocities are on the CPU, where all levels of a search find room. The velocity has the request's
        guidance; nothing is decoded.

        Args:
            request: As ``request`` returns it.

        Yields:
            The noise, (1, 16, T, h, w) float32, and (state, sigma) -> velocity.
        """
        with self.free_device() as device, inference():
            prepared = self._prepared(self.networks_on(device), request)
            ask = velocity_at(prepared.network, prepared.noise, prepared.inputs, prepared.guidance)

            def velocity(state: "torch.Tensor", sigma: float) -> "torch.Tensor":
                return ask(state.to(prepared.noise), sigma).cpu()

            yield prepared.noise.cpu(), velocity

    def memory(self, request: GenerationRequest, dtype: Dtype, *, published: bool = False) -> GenerationMemory:
        """Return what a request takes of a device.

        Args:
            request: Says how large the clip is.
            dtype: Number format.
            published: By the sizes of the released networks, whatever files there are.
        """
        files = None if self._tiny or published else self._files()
        return wan_memory(
            self.released,
            files,
            request,
            dtype,
            text=self._library_weights(None if files is None else files.text, TEXT_PARAMETERS, dtype),
            image=self._library_weights(None if files is None else files.image, IMAGE_PARAMETERS, dtype),
            tiny=self._tiny,
            tiling=self._runs_on.tiling,
        )
