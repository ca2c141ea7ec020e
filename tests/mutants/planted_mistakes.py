"""Mistakes that a careful person makes with metrics, rewards and generators, as data: what to write in place of what.

Each breaks a golden case; ``parity_mutants.py`` shows it. The text to be replaced stands once in its file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CLIPS", "KINDS", "LIBRARIES", "MISTAKES", "Mistake"]

KINDS: Final = ("preprocessing", "network", "sampling", "formula")
_BLINK: Final = "blink"
_BALL: Final = "ball"

CLIPS: Final = {
    "subject_consistency": _BLINK,
    "background_consistency": _BLINK,
    "aesthetic_quality": _BLINK,
    "imaging_quality": _BALL,
    "motion_smoothness": _BALL,
    "temporal_flickering": _BLINK,
    "dynamic_degree": _BLINK,
    "i2v_subject": _BLINK,
    "i2v_background": _BLINK,
    "overall_consistency": _BLINK,
}
"""{dimension: a word in the name of the clip of tests/data/vbench that its mistakes are tried on}"""

_WAN_CLASSES: Final = (
    "diffusers.models.autoencoders.autoencoder_kl_wan",
    "diffusers.models.transformers.transformer_wan",
)
LIBRARIES: Final = dict.fromkeys(
    (
        "gen_condition_tensor",
        "gen_loop_v32_two_experts",
        "gen_loop_v3_any_frame",
        "gen_wan21_dit",
        "gen_wan22_dit_noclip",
        "gen_wan_vae",
    ),
    _WAN_CLASSES,
)
"""{kind of golden case: modules of other authors that take long to import, and are imported once for all mistakes}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One wrong text in one module."""

    name: str
    target: str
    """The dimension, or the kind of golden case, that must break."""
    kind: str
    """One of KINDS."""
    file: str
    """Relative to the repository, below one of its folders of modules."""
    old: str
    """Stands exactly once in the file."""
    new: str
    clip: str = ""
    """Another clip than CLIPS has."""

    @property
    def module(self) -> str:
        """The name under which the file is imported."""
        return f"anisora.{self.file.removesuffix('.py').replace('/', '.')}"

    def planted(self, repository: Path) -> str:
        """Return the text of the file with the mistake.

        Raises:
            ValueError: The old text does not stand exactly once in the file.
        """
        text = (repository / self.file).read_text(encoding="utf-8")
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {count} times in {self.file}; expected once.")
        return text.replace(self.old, self.new)


_RECIPES: Final = "harness/transforms.py"
_SAMPLING: Final = "harness/media/sampling.py"
_WINDOWS: Final = "harness/windows.py"
_SIMILARITY: Final = "metrics/vbench/similarity.py"
_DINO: Final = "metrics/networks/dino.py"
_DINO_FRAMES: Final = "metrics/extractors/dino_vitb16.py"
_DINO_IMAGES: Final = "metrics/extractors/dino_vitb16_images.py"
_CLIP: Final = "metrics/networks/clip.py"
_CLIP_FRAMES: Final = "metrics/extractors/clip_vit_b32.py"
_LINEAR_HEAD: Final = "metrics/networks/laion_aesthetic_linear.py"
_MUSIQ: Final = "metrics/networks/musiq.py"
_MUSIQ_FRAMES: Final = "metrics/extractors/musiq_spaq.py"
_AMT: Final = "metrics/networks/amt.py"
_AMT_FRAMES: Final = "metrics/extractors/amt_s.py"
_RAFT: Final = "metrics/networks/raft.py"
_RAFT_FRAMES: Final = "metrics/extractors/raft_things.py"
_CORRELATION: Final = "metrics/networks/correlation.py"
_DYNAMIC: Final = "metrics/vbench/dynamic_degree.py"
_IMAGE: Final = "metrics/vbench/image_similarity.py"
_DREAMSIM: Final = "metrics/networks/dreamsim.py"
_DREAMSIM_FRAMES: Final = "metrics/extractors/dreamsim_ensemble.py"
_VICLIP: Final = "metrics/networks/viclip.py"
_VICLIP_FRAMES: Final = "metrics/extractors/viclip.py"
_OVERALL: Final = "metrics/vbench/overall_consistency.py"
_FLICKERING: Final = "metrics/core/temporal_flickering.py"
_DIFFERENCE: Final = "metrics/extractors/temporal_difference.py"
_ACTIONCLIP: Final = "metrics/networks/actionclip.py"
_MOTION_SCORE: Final = "metrics/vbench/motion_score.py"
_REFERENCE_SAMPLING: Final = "harness/media/reference_sampling.py"
_MLP: Final = "metrics/networks/laion_aesthetic_mlp.py"
_JUDGE: Final = "reward/networks/idefics2_regressor.py"
_REGRESSOR_SIZES: Final = "reward/networks/idefics2_sizes.py"
_PICTURES: Final = "reward/judge/pictures.py"
_TOKENS: Final = "reward/judge/tokens.py"
_PROMPT: Final = "reward/judge/prompt.py"
_JUDGED: Final = "reward/judge/judged_score.py"
_BLIP: Final = "reward/networks/blip_vision.py"
_REGRESSOR: Final = "reward/networks/consistency_regressor.py"
_EMBEDDER: Final = "reward/networks/identity_embedder.py"
_GALLERY: Final = "reward/character/gallery_score.py"
_CROP: Final = "reward/character/mask_crop.py"
_BOX_FILTER: Final = "reward/character/kalman_box_filter.py"
_SAMURAI: Final = "reward/character/samurai_selection.py"
_SCORES: Final = "models/score_suffix.py"
_REQUEST: Final = "models/cogvideox/request.py"
_GRAMMAR: Final = "models/prompt_grammar.py"
_FRAME_IDS: Final = "models/wan/frame_ids.py"
_SIZE: Final = "models/wan/latent_size.py"
_MASK: Final = "models/wan/condition_mask.py"
_FLOW: Final = "models/wan/flow_schedule.py"
_UNIPC: Final = "models/wan/unipc.py"
_EXPERTS: Final = "models/wan/experts.py"
_CONDITION: Final = "models/wan/condition_tensor.py"
_WAN_KEYS: Final = "models/conversion/wan.py"
_WAN_NETWORKS: Final = "models/wan/networks.py"
_WAN_DENOISER: Final = "models/wan/denoiser.py"
_WAN_VAE: Final = "models/wan/video_vae.py"
_WAN_LOOP: Final = "models/wan/sampling.py"
_STEP_LISTS: Final = "models/wan/step_lists.py"
_SEARCH: Final = "models/wan/step_search.py"
_GUIDANCE: Final = "models/guidance.py"
_SLOTS: Final = "models/cogvideox/guide_slots.py"
_NOISE: Final = "models/cogvideox/noise_table.py"
_DYNAMIC_GUIDANCE: Final = "models/cogvideox/dynamic_guidance.py"


def _of(target: str, *rows: tuple[str, str, str, str, str] | tuple[str, str, str, str, str, str]) -> list[Mistake]:
    """Return the mistakes of a target from rows of (name, kind, file, old, new[, clip])."""
    return [
        Mistake(name=row[0], target=target, kind=row[1], file=row[2], old=row[3], new=row[4], clip="".join(row[5:]))
        for row in rows
    ]


MISTAKES: Final[tuple[Mistake, ...]] = (
    *_of(
        "overall_consistency",
        (
            "uint8 frames stay unrounded after the resize",
            "preprocessing",
            _VICLIP_FRAMES,
            "rounded=True, ",
            "",
        ),
        (
            "the last frame of each stretch, not its middle",
            "sampling",
            _SAMPLING,
            "np.unique((edges[:-1] + edges[1:] - 1) // 2)",
            "np.unique(edges[1:] - 1)",
        ),
        (
            "edges of the stretches rounded, not cut",
            "sampling",
            _SAMPLING,
            "min(sampling.count, num_frames) + 1).astype(np.int64)",
            "min(sampling.count, num_frames) + 1).round().astype(np.int64)",
        ),
        (
            "no embedding of time",
            "network",
            _VICLIP,
            "tower.temporal_positional_embedding[:, :, None]",
            "0 * tower.temporal_positional_embedding[:, :, None]",
        ),
        (
            "the text is read at its last place, not at its end",
            "network",
            _VICLIP,
            "hidden[:, end] @",
            "hidden[:, -1] @",
        ),
        (
            "tokens of the text see those after them",
            "network",
            _VICLIP,
            "hidden, causal=True))",
            "hidden, causal=False))",
        ),
        (
            "exact GELU",
            "network",
            _VICLIP,
            "inner * torch.sigmoid(_QUICK_GELU * inner)",
            "torch.nn.functional.gelu(inner)",
        ),
        (
            "features are not normalised",
            "formula",
            _OVERALL,
            "a @ b / lengths",
            "a @ b",
        ),
    ),
    *_of(
        "i2v_background",
        (
            "frames resized without antialiasing",
            "preprocessing",
            _DREAMSIM_FRAMES,
            "antialias=antialiased(variant)",
            "antialias=not antialiased(variant)",
            _BALL,
        ),
        (
            "middle square in place of the squashed picture",
            "preprocessing",
            _DREAMSIM_FRAMES,
            'resize="exact", side=224,',
            'resize="short", side=224, crop=224,',
        ),
        (
            "all towers normalised by ImageNet",
            "preprocessing",
            _DREAMSIM,
            'if name == "dino" else (CLIP_MEAN, CLIP_STD)',
            "if name else (CLIP_MEAN, CLIP_STD)",
        ),
        (
            "one tower is left out",
            "network",
            _DREAMSIM,
            "self._features(name, pixels) for name in TOWERS]",
            '(name != "open_clip") * self._features(name, pixels) for name in TOWERS]',
        ),
        (
            "adapters of two towers exchanged",
            "network",
            _DREAMSIM,
            "_merge(self.towers[name], adapter, place,",
            "_merge(self.towers[name], adapter, (1, 0, 2)[place],",
        ),
        (
            "adapter not scaled by its rank",
            "network",
            _DREAMSIM,
            "_ALPHA / architecture.rank)",
            "_ALPHA)",
        ),
        (
            "DINO's class token after the last norm",
            "network",
            _DREAMSIM,
            'hidden[:, 0] if name == "dino"',
            'tower.norm(hidden)[:, 0] if name == "dino"',
        ),
        (
            "towers normalised one by one before they are joined",
            "formula",
            _DREAMSIM,
            "self._features(name, pixels) for name in TOWERS]",
            "torch.nn.functional.normalize(self._features(name, pixels), dim=-1) for name in TOWERS]",
        ),
        (
            "the mean is not taken off",
            "formula",
            _DREAMSIM,
            "joined - joined.mean(dim=-1, keepdim=True)",
            "joined",
        ),
    ),
    *_of(
        "dynamic_degree",
        (
            "padded at the right and below alone",
            "preprocessing",
            _RAFT,
            "(columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)",
            "(0, columns, 0, rows)",
        ),
        (
            "padded with black",
            "preprocessing",
            _RAFT,
            'mode="replicate")',
            'mode="constant")',
        ),
        (
            "pixels in 0..1",
            "preprocessing",
            _RAFT,
            "pixels.to(device) / 127.5 - 1.0",
            "pixels.to(device) / 255.0",
        ),
        (
            "blue and red exchanged",
            "preprocessing",
            _RAFT_FRAMES,
            "torch.from_numpy(contiguous)",
            "torch.from_numpy(contiguous[..., ::-1].copy())",
        ),
        (
            "12 updates",
            "network",
            _RAFT,
            "updates: int = 20",
            "updates: int = 12",
        ),
        (
            "flow enlarged bilinearly, not by the learned mask",
            "network",
            _RAFT,
            "up_mask=module.mask_predictor(hidden)",
            "up_mask=None",
        ),
        (
            "norms of the downsampling branches under the other name",
            "network",
            _RAFT,
            "WEIGHTS, state=state, rename",
            'WEIGHTS, state={k: state.get(k.replace("downsample.1", "norm3"), v) for k, v in state.items()}, rename',
        ),
        (
            "correlation not divided by the root of the channels",
            "network",
            _CORRELATION,
            "/ first.shape[1] ** 0.5",
            "/ 1.0",
        ),
        (
            "windows of the correlation by row, not by column",
            "network",
            _CORRELATION,
            'offset, offset, indexing="ij")',
            'offset, offset, indexing="xy")',
        ),
        (
            "flow from the later frame to the earlier",
            "sampling",
            _RAFT_FRAMES,
            "network(pixels[0], pixels[1], (digests[0], digests[1]))",
            "network(pixels[1], pixels[0], (digests[1], digests[0]))",
        ),
        (
            "every frame, not eight a second",
            "sampling",
            _SAMPLING,
            "max(1, round(fps / sampling.fps))",
            "max(1, round(sampling.fps / fps))",
        ),
        (
            "the fastest twentieth of the picture without its border",
            "formula",
            _RAFT_FRAMES,
            "flow.double()",
            "flow[:, 1:-1, 1:-1].double()",
        ),
        (
            "the threshold by the long side",
            "formula",
            _DYNAMIC,
            "6.0 * min(height, width)",
            "6.0 * max(height, width)",
        ),
        (
            "the pairs needed rounded up",
            "formula",
            _DYNAMIC,
            "round(4 * sampled_frames / 16.0)",
            "-(-4 * sampled_frames // 16)",
        ),
    ),
    *_of(
        "aesthetic_quality",
        (
            "squashed to a square",
            "preprocessing",
            _CLIP_FRAMES,
            'resize="short", side=224, crop=224',
            'resize="exact", side=224',
        ),
        (
            "resized with antialiasing",
            "preprocessing",
            _CLIP_FRAMES,
            "crop=224, mean",
            "antialias=True, crop=224, mean",
        ),
        (
            "overshoot of the resize cut and rounded",
            "preprocessing",
            _CLIP_FRAMES,
            "crop=224, mean",
            "rounded=True, crop=224, mean",
        ),
        (
            "exact GELU",
            "network",
            _CLIP,
            '"ViT-L/14": "ViT-L-14-quickgelu"',
            '"ViT-L/14": "ViT-L-14"',
        ),
        (
            "the head without its bias",
            "network",
            _LINEAR_HEAD,
            "(self._head.weight.device))[:, 0]",
            "(self._head.weight.device))[:, 0] - self._head.bias",
        ),
        (
            "features are not normalised",
            "formula",
            _LINEAR_HEAD,
            "torch.nn.functional.normalize(self._tower(pixels), dim=-1)",
            "self._tower(pixels)",
        ),
        (
            "scores are not divided by ten",
            "formula",
            "metrics/vbench/aesthetic_quality.py",
            ".astype(np.float64) / 10",
            ".astype(np.float64)",
        ),
    ),
    *_of(
        "subject_consistency",
        (
            "bicubic resize",
            "preprocessing",
            _DINO_FRAMES,
            'filter="bilinear"',
            'filter="bicubic"',
        ),
        (
            "CLIP's mean and deviation",
            "preprocessing",
            _DINO_FRAMES,
            'side=224, filter="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD',
            'side=224, filter="bilinear", mean=(0.4815, 0.4578, 0.4082), std=(0.2686, 0.2613, 0.2758)',
        ),
        (
            "the middle square alone",
            "preprocessing",
            _DINO_FRAMES,
            'side=224, filter="bilinear",',
            'side=224, filter="bilinear", crop=224,',
        ),
        (
            "the long side resized to 224",
            "preprocessing",
            _RECIPES,
            "if height <= width else",
            "if height > width else",
        ),
        (
            "position embeddings resized to a size, not by a factor",
            "network",
            _DINO,
            "scale_factor=factors",
            "size=(rows, columns)",
        ),
        (
            "position embeddings with rows and columns exchanged",
            "network",
            _DINO,
            "resized.permute(0, 2, 3, 1)",
            "resized.permute(0, 3, 2, 1)",
        ),
        (
            "no norm after the last block",
            "network",
            _DINO,
            "module.norm(module.blocks(hidden))[:, 0]",
            "module.blocks(hidden)[:, 0]",
        ),
        (
            "the mean of the patches, not the class token",
            "network",
            _DINO,
            "module.norm(module.blocks(hidden))[:, 0]",
            "module.norm(module.blocks(hidden))[:, 1:].mean(dim=1)",
        ),
        (
            "each frame with the one before alone",
            "formula",
            _SIMILARITY,
            "(before + first) / 2",
            "before",
        ),
        (
            "divided by the frames, not by their pairs",
            "formula",
            "metrics/vbench/frame_consistency.py",
            "terms.mean()",
            "terms.sum() / (len(terms) + 1)",
        ),
    ),
    *_of(
        "imaging_quality",
        (
            "pixels in 0..1",
            "preprocessing",
            _MUSIQ,
            "pixels.to(encoder.cls.device) * 2 - 1",
            "pixels.to(encoder.cls.device)",
        ),
        (
            "frames divided by 255 twice",
            "preprocessing",
            _MUSIQ_FRAMES,
            "return pixels / 255.0",
            "return pixels / 255.0**2",
        ),
        (
            "small frames enlarged to 512",
            "preprocessing",
            _MUSIQ_FRAMES,
            'if mode == "none" or side <= SIDE:',
            'if mode == "none":',
        ),
        (
            "copies resized bilinearly",
            "preprocessing",
            _MUSIQ,
            'mode="bicubic"',
            'mode="bilinear"',
        ),
        (
            "copies by their short side",
            "preprocessing",
            _MUSIQ,
            "long_side / max(height, width)",
            "long_side / min(height, width)",
        ),
        (
            "the two copies in the other order",
            "network",
            _MUSIQ,
            "LONG_SIDES: Final = (224, 384)",
            "LONG_SIDES: Final = (384, 224)",
        ),
        (
            "positions by the patches' centres",
            "network",
            _MUSIQ,
            "_GRID * row // rows * _GRID + _GRID * column // columns",
            "_GRID * (2 * row + 1) // (2 * rows) * _GRID + _GRID * (2 * column + 1) // (2 * columns)",
        ),
        (
            "the odd line of padding at the left and the top",
            "network",
            _MUSIQ,
            "((every // 2, every - every // 2)",
            "((every - every // 2, every // 2)",
        ),
        (
            "kernels are not standardised",
            "network",
            _MUSIQ,
            "(kernels - mean) / (deviation + 1e-5)",
            "kernels",
        ),
        (
            "eight heads of attention",
            "network",
            _MUSIQ,
            "_HEADS: Final = 6",
            "_HEADS: Final = 8",
        ),
        (
            "GELU by tanh",
            "network",
            _MUSIQ,
            'torch.nn.functional.gelu(layer["mlp"]["fc1"](layer["norm2"](hidden)))',
            'torch.nn.functional.gelu(layer["mlp"]["fc1"](layer["norm2"](hidden)), approximate="tanh")',
        ),
        (
            "the median of the frames",
            "formula",
            "metrics/vbench/imaging_quality.py",
            "frames.mean(), parts",
            "np.median(frames), parts",
            _BLINK,
        ),
    ),
    *_of(
        "i2v_subject",
        (
            "frames resized without antialiasing",
            "preprocessing",
            _DINO_FRAMES,
            "antialias=antialiased(variant)",
            "antialias=not antialiased(variant)",
        ),
        (
            "short side 224, so that nothing is cut from it",
            "preprocessing",
            _DINO_FRAMES,
            "side=256",
            "side=224",
        ),
        (
            "the image resized as frames are",
            "preprocessing",
            _DINO_IMAGES,
            "self._recipe.picture(image)",
            "self._recipe(image[None])",
        ),
        (
            "the square cut from the left and the top",
            "preprocessing",
            _RECIPES,
            "top, left = round((height - self.crop) / 2), round((width - self.crop) / 2)",
            "top, left = 0, 0",
        ),
        (
            "GELU by tanh",
            "network",
            _DINO,
            'num_classes=0, global_pool="token")',
            'num_classes=0, global_pool="token", act_layer="gelu_tanh")',
        ),
        (
            "the positions of the square grid resized, too",
            "network",
            _DINO,
            "if (rows, columns) == (_GRID, _GRID):",
            "if (rows, columns) == (0, 0):",
        ),
        (
            "the mean similarity to the image, not the largest",
            "formula",
            _IMAGE,
            "to_image.max()",
            "to_image.mean()",
        ),
        (
            "the weights of mean and least exchanged with the image's",
            "formula",
            _IMAGE,
            "0.4 * to_image.max() + 0.3 * to_before.mean()",
            "0.3 * to_image.max() + 0.4 * to_before.mean()",
        ),
        (
            "each frame with the first, not with the one before",
            "formula",
            _IMAGE,
            "clamped_cosine(frames[1:], frames[:-1])",
            "clamped_cosine(frames[1:], frames[:1])",
        ),
    ),
    *_of(
        "background_consistency",
        (
            "resized with antialiasing",
            "preprocessing",
            _CLIP_FRAMES,
            "crop=224, mean",
            "antialias=True, crop=224, mean",
        ),
        (
            "the square cut one pixel off",
            "preprocessing",
            _RECIPES,
            "top, left = round((height - self.crop) / 2), round((width - self.crop) / 2)",
            "top, left = (height - self.crop + 1) // 2, (width - self.crop + 1) // 2",
        ),
        (
            "ImageNet's mean and deviation",
            "preprocessing",
            _CLIP_FRAMES,
            "mean=CLIP_MEAN, std=CLIP_STD",
            "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)",
        ),
        (
            "blue and red exchanged",
            "preprocessing",
            _RECIPES,
            "torch.from_numpy(np.array(frame))",
            "torch.from_numpy(np.array(frame[..., ::-1]))",
        ),
        (
            "values stay in 0..255",
            "preprocessing",
            _RECIPES,
            ".round()\n        return self._normalised(self._cropped(pixels) / 255.0)",
            ".round()\n        return self._normalised(self._cropped(pixels))",
        ),
        (
            "exact GELU",
            "network",
            _CLIP,
            '"ViT-B/32": "ViT-B-32-quickgelu"',
            '"ViT-B/32": "ViT-B-32"',
        ),
        (
            "every second frame",
            "sampling",
            "metrics/vbench/frame_consistency.py",
            "FrameSampling()",
            'FrameSampling(mode="stride", stride=2)',
        ),
        (
            "features are not normalised",
            "formula",
            _SIMILARITY,
            "np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)",
            "product",
        ),
    ),
    *_of(
        "motion_smoothness",
        (
            "blue and red exchanged on the way in",
            "preprocessing",
            _AMT_FRAMES,
            "torch.from_numpy(np.array(frame)).permute(2, 0, 1)",
            "torch.from_numpy(np.array(frame[..., ::-1])).permute(2, 0, 1)",
        ),
        (
            "padded at the right and below alone",
            "preprocessing",
            _RAFT,
            "(columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)",
            "(0, columns, 0, rows)",
            _BLINK,
        ),
        (
            "each frame less its own mean",
            "network",
            _AMT,
            "first, second = first - mean, second - mean",
            "first, second = first - first.mean(), second - second.mean()",
            _BLINK,
        ),
        (
            "correlation not divided by the root of the channels",
            "network",
            _CORRELATION,
            "/ first.shape[1] ** 0.5",
            "/ 1.0",
        ),
        (
            "windows of the correlation by row, not by column",
            "network",
            _CORRELATION,
            'offset, offset, indexing="ij")',
            'offset, offset, indexing="xy")',
        ),
        (
            "resized with aligned corners",
            "network",
            _AMT,
            'mode="bilinear", align_corners=False',
            'mode="bilinear", align_corners=True',
        ),
        (
            "warped without aligned corners",
            "network",
            _AMT,
            'padding_mode="border", align_corners=True',
            'padding_mode="border", align_corners=False',
        ),
        (
            "black beyond the border",
            "network",
            _AMT,
            'padding_mode="border"',
            'padding_mode="zeros"',
            _BLINK,
        ),
        (
            "flow enlarged but not doubled",
            "network",
            _AMT,
            "found[:, :4] + 2 * _resized(flows, 2)",
            "found[:, :4] + _resized(flows, 2)",
        ),
        (
            "the mask of the other frame",
            "network",
            _AMT,
            "one * mask + other * (1 - mask)",
            "other * mask + one * (1 - mask)",
        ),
        (
            "windows begin at the second frame",
            "sampling",
            _WINDOWS,
            "range(-first % stride,",
            "range((1 - first) % stride,",
        ),
        (
            "every frame drawn, not every second",
            "sampling",
            _AMT_FRAMES,
            "stride=2",
            "stride=1",
        ),
        (
            "levels rounded, not cut",
            "formula",
            _AMT_FRAMES,
            ".clamp(0, 255).to(torch.uint8)",
            ".clamp(0, 255).round().to(torch.uint8)",
        ),
        (
            "differences of bytes wrap around",
            "formula",
            _AMT_FRAMES,
            "drawn.astype(np.int16) - middle",
            "drawn - middle",
        ),
    ),
    *_of(
        "temporal_flickering",
        (
            "every second pair",
            "sampling",
            _DIFFERENCE,
            "window=2,",
            "window=2, stride=2,",
        ),
        (
            "differences of bytes wrap around",
            "formula",
            _DIFFERENCE,
            "cv2.norm(first, second, cv2.NORM_L1)",
            "float((first - second).sum(dtype=np.int64))",
        ),
        (
            "differences that are not made absolute",
            "formula",
            _DIFFERENCE,
            "cv2.norm(first, second, cv2.NORM_L1)",
            "float(first.sum(dtype=np.int64) - second.sum(dtype=np.int64))",
        ),
        (
            "divided by the frames, not by their pairs",
            "formula",
            _FLICKERING,
            "differences.mean(dtype=np.float64)",
            "differences.sum(dtype=np.float64) / (len(differences) + 1)",
        ),
        (
            "256 levels",
            "formula",
            _FLICKERING,
            "(255.0 - differences) / 255.0",
            "(256.0 - differences) / 256.0",
        ),
    ),
    *_of(
        "c01_idefics2_regressor",
        (
            "the perceiver's norms with their own default epsilon",
            "network",
            _REGRESSOR_SIZES,
            '            "rms_norm_eps": self.rms_eps,\n            "resampler',
            '            "resampler',
        ),
        (
            "exact GELU in the tower of pictures",
            "network",
            _REGRESSOR_SIZES,
            '"gelu_pytorch_tanh"',
            '"gelu"',
        ),
        (
            "only patches that are real throughout",
            "network",
            _JUDGE,
            "patch)[:, 0] > 0",
            "patch, stride=patch)[:, 0] * 0 + torch.nn.functional.avg_pool2d(mask[:, None].float(), patch)[:, 0] == 1",
        ),
        (
            "padding is seen",
            "network",
            _JUDGE,
            "(mask != 0)[:, None].float()",
            "torch.ones(mask.shape)[:, None]",
        ),
        (
            "positions counted, not as fractions of the picture",
            "network",
            _JUDGE,
            "torch.bucketize(torch.arange(0, 1 - 1e-6, float(1 / torch.tensor(count))), edges, right=True)",
            "torch.arange(count).clamp(max=len(edges))",
        ),
        (
            "rows and columns of positions exchanged",
            "network",
            _JUDGE,
            "down[:, None] * grid + across",
            "down[:, None] + across * grid",
        ),
        (
            "the mean over positions, not the last",
            "network",
            _JUDGE,
            "last_hidden_state[0, -1]",
            "last_hidden_state[0].mean(dim=0)",
        ),
        (
            "the position before the last",
            "network",
            _JUDGE,
            "last_hidden_state[0, -1]",
            "last_hidden_state[0, -2]",
        ),
        (
            "pictures squashed to a square",
            "preprocessing",
            _PICTURES,
            "return max(height, self.shortest), max(width, self.shortest)",
            "return self.longest, self.longest",
        ),
        (
            "bicubic, not bilinear",
            "preprocessing",
            _PICTURES,
            "Resampling.BILINEAR",
            "Resampling.BICUBIC",
        ),
        (
            "CLIP's mean for 0.5",
            "preprocessing",
            _PICTURES,
            "_HALF = (0.5, 0.5, 0.5)",
            "_HALF = (0.48145466, 0.4578275, 0.40821073)",
        ),
        (
            "padded at the top and left",
            "preprocessing",
            _PICTURES,
            "pixels[place, :, : each.shape[1], : each.shape[2]] = each",
            "pixels[place, :, height - each.shape[1] :, width - each.shape[2] :] = each",
        ),
        (
            "pictures split into four and the whole",
            "preprocessing",
            _TOKENS,
            'f"{FAKE}{IMAGE * latents}{FAKE}")',
            'f"{FAKE}{IMAGE * latents}{FAKE}" * 5)',
        ),
        (
            "touching pictures keep two boundaries",
            "preprocessing",
            _TOKENS,
            ".replace(FAKE + FAKE, FAKE)",
            "",
        ),
        (
            "no space after the last marker",
            "preprocessing",
            _PROMPT,
            'f"{IMAGE} " * lacking',
            '" ".join([IMAGE] * lacking)',
        ),
        (
            "markers in a caption are not counted",
            "preprocessing",
            _PROMPT,
            "lacking = pictures - asked.count(IMAGE)",
            "lacking = pictures",
        ),
        (
            "the logit is not rounded",
            "formula",
            _JUDGED,
            "round(float(logit), _DIGITS) / 100",
            "float(logit) / 100",
        ),
        (
            "the score is rounded, not the logit",
            "formula",
            _JUDGED,
            "round(float(logit), _DIGITS) / 100",
            "round(float(logit) / 100, _DIGITS)",
        ),
        (
            "cut at 0 and 1",
            "formula",
            _JUDGED,
            "round(float(logit), _DIGITS) / 100",
            "min(max(round(float(logit), _DIGITS) / 100, 0.0), 1.0)",
        ),
    ),
    *_of(
        "c02_actionclip_motion",
        (
            "frames chosen by rounding",
            "sampling",
            _REFERENCE_SAMPLING,
            "[int(value) for value in left + right]",
            "[round(float(value)) for value in left + right]",
        ),
        (
            "frames from the starts of eight stretches",
            "sampling",
            _REFERENCE_SAMPLING,
            "[int(value) for value in left + right]",
            "[sampled * place // 8 for place in range(8)]",
        ),
        (
            "the towers with exact GELU",
            "network",
            _ACTIONCLIP,
            "quick_gelu=True",
            "quick_gelu=False",
        ),
        (
            "the adapter with exact GELU",
            "network",
            _ACTIONCLIP,
            "act_layer=QuickGELU",
            "act_layer=torch.nn.GELU",
        ),
        (
            "the adapter does not add the frames themselves",
            "network",
            _ACTIONCLIP,
            '(adapter["transformer"](seen + positions) + seen)',
            'adapter["transformer"](seen + positions)',
        ),
        (
            "no embedding of the frames' places",
            "network",
            _ACTIONCLIP,
            "(seen + positions)",
            "(seen)",
        ),
        (
            "tokens of a text see those after them",
            "network",
            _ACTIONCLIP,
            'float("-inf")).triu(1)',
            "0.0)",
        ),
        (
            "the last frame, not the mean of all",
            "formula",
            _ACTIONCLIP,
            "+ seen).mean(dim=1)",
            "+ seen)[:, -1]",
        ),
        (
            "scaled by CLIP's first temperature",
            "formula",
            _MOTION_SCORE,
            "SCALE: Final = 100.0",
            "SCALE: Final = 1 / 0.07",
        ),
        (
            "the probability of the other text",
            "formula",
            _MOTION_SCORE,
            "powers[..., 0]",
            "powers[..., 1]",
        ),
    ),
    *_of(
        "c10_laion_aesthetic_mlp",
        (
            "ReLU between the layers",
            "network",
            _MLP,
            "direction = layer(direction)",
            "direction = layer(direction).relu() if layer.out_features > 1 else layer(direction)",
        ),
        (
            "layers without their biases",
            "network",
            _MLP,
            "direction = layer(direction)",
            "direction = direction @ layer.weight.T",
        ),
        (
            "features are not normalised",
            "preprocessing",
            _MLP,
            "in vectors / lengths]",
            "in vectors]",
        ),
        (
            "features normalised over the whole clip",
            "preprocessing",
            _MLP,
            "np.linalg.norm(vectors, axis=-1, keepdims=True)",
            "np.linalg.norm(vectors, keepdims=True)",
        ),
        (
            "a vector of zeros is divided by its length",
            "preprocessing",
            _MLP,
            "lengths[lengths == 0] = 1",
            "lengths[lengths < 0] = 1",
        ),
        (
            "four decimals",
            "formula",
            _MLP,
            "_DECIMALS: Final = 5",
            "_DECIMALS: Final = 4",
        ),
        (
            "the sum of the frames divided by one frame fewer",
            "formula",
            _MLP,
            "sum(rounded) / len(rounded)",
            "sum(rounded) / (len(rounded) - 1)",
        ),
    ),
    *_of(
        "c03_image_video_regressor",
        (
            "transformers' own epsilon",
            "network",
            _BLIP,
            "layer_norm_eps=sizes.epsilon",
            "layer_norm_eps=1e-5",
        ),
        (
            "GELU by tanh",
            "network",
            _BLIP,
            'hidden_act="gelu"',
            'hidden_act="gelu_pytorch_tanh"',
        ),
        (
            "quick GELU",
            "network",
            _BLIP,
            'hidden_act="gelu"',
            'hidden_act="quick_gelu"',
        ),
        (
            "the pooled output",
            "network",
            _BLIP,
            ".last_hidden_state[:, 0]",
            ".pooler_output",
        ),
        (
            "half as many heads",
            "network",
            _BLIP,
            "num_attention_heads=sizes.heads",
            "num_attention_heads=sizes.heads // 2",
        ),
        (
            "the norms of a block exchanged",
            "network",
            _BLIP,
            '("norm1.", "layer_norm1."),\n    ("norm2.", "layer_norm2."),',
            '("norm1.", "layer_norm2."),\n    ("norm2.", "layer_norm1."),',
        ),
        (
            "the sides of the last layer exchanged",
            "formula",
            _REGRESSOR,
            "slice(None, self.sizes.projected), bias=False",
            "slice(self.sizes.projected, None), bias=False",
        ),
        (
            "the constant of the last layer left out",
            "formula",
            _REGRESSOR,
            "added = added + head.bias.double()",
            "added = added + 0",
        ),
        (
            "the first frame, not the mean",
            "formula",
            _REGRESSOR,
            "np.float64).mean())",
            "np.float64)[0])",
        ),
        (
            "no sigmoid",
            "formula",
            _REGRESSOR,
            "return float(np.exp(-np.logaddexp(0.0, -total)))",
            "return total",
        ),
    ),
    *_of(
        "c04_text_video_regressor",
        (
            "half as many heads",
            "network",
            _REGRESSOR,
            "num_attention_heads=sizes.heads",
            "num_attention_heads=sizes.heads // 2",
        ),
        (
            "the epsilon of other norms",
            "network",
            _REGRESSOR,
            "layer_norm_eps=sizes.epsilon",
            "layer_norm_eps=1e-5",
        ),
        (
            "tokens that fill up are seen",
            "preprocessing",
            _REGRESSOR,
            "attention_mask=attention_mask.to(device)",
            "attention_mask=attention_mask.to(device) * 0 + 1",
        ),
        (
            "the last token",
            "network",
            _REGRESSOR,
            "found.last_hidden_state[:, 0]",
            "found.last_hidden_state[:, -1]",
        ),
        (
            "all tokens at one position",
            "network",
            _REGRESSOR,
            "torch.arange(sizes.positions)",
            "torch.zeros(sizes.positions, dtype=torch.long)",
        ),
        (
            "a token sees those before it alone",
            "network",
            _REGRESSOR,
            "attention_mask.to(device), is_decoder=False)",
            "attention_mask.to(device), is_decoder=True)",
        ),
        (
            "the pooled output of the frames",
            "network",
            _BLIP,
            ".last_hidden_state[:, 0]",
            ".pooler_output",
        ),
    ),
    *_of(
        "c05a_identity_embedder",
        (
            "embeddings are normalised",
            "preprocessing",
            _EMBEDDER,
            'self.module["vision_proj"](tokens)',
            '__import__("torch").nn.functional.normalize(self.module["vision_proj"](tokens), dim=-1)',
        ),
        (
            "the projection without its constant",
            "network",
            _EMBEDDER,
            'self.module["vision_proj"](tokens)',
            'tokens @ self.module["vision_proj"].weight.T',
        ),
        (
            "the pooled output",
            "network",
            _BLIP,
            ".last_hidden_state[:, 0]",
            ".pooler_output",
        ),
        (
            "pictures with the names of others",
            "formula",
            _GALLERY,
            "columns[name.lower()] for name in names]",
            "columns[name.lower()] for name in sorted(names)]",
        ),
        (
            "the sum over the pictures of an identity, not their mean",
            "formula",
            _GALLERY,
            "    members /= members.sum(axis=0)\n",
            "",
        ),
    ),
    *_of(
        "c05b_gallery_score",
        (
            "features are normalised",
            "preprocessing",
            _GALLERY,
            "np.asarray(queries, np.float64) @",
            "(queries / np.linalg.norm(queries, axis=-1, keepdims=True)) @",
        ),
        (
            "the sum over the pictures of an identity, not their mean",
            "formula",
            _GALLERY,
            "    members /= members.sum(axis=0)\n",
            "",
        ),
        (
            "a softmax of the mean over frames",
            "formula",
            _GALLERY,
            "gallery, np.float64).T @ members\n",
            "gallery, np.float64).T @ members\n    likeness = likeness.mean(axis=1, keepdims=True)\n",
        ),
        (
            "the likeliest character alone",
            "formula",
            _GALLERY,
            "score=float(scores.mean())",
            "score=float(scores.max())",
        ),
        (
            "the least likely frame, not the mean",
            "formula",
            _GALLERY,
            "frames.mean(axis=1)",
            "frames.min(axis=1)",
        ),
    ),
    *_of(
        "c07_mask_crop",
        (
            "the last frames in which a character is seen",
            "sampling",
            _CROP,
            "// count][:count]",
            "// count][-count:]",
        ),
        (
            "every frame from the first one on",
            "sampling",
            _CROP,
            "seen[:: len(seen) // count][:count]",
            "seen[:count]",
        ),
        (
            "the odd pixel of padding at the left and above",
            "preprocessing",
            _CROP,
            "(side - height) // 2, (side - width) // 2",
            "(side - height + 1) // 2, (side - width + 1) // 2",
        ),
        (
            "the surroundings of a character are kept",
            "preprocessing",
            _CROP,
            "image[box] * kept[..., None]",
            "image[box]",
        ),
        (
            "the padding is not centred",
            "preprocessing",
            _CROP,
            "(side - height) // 2, (side - width) // 2",
            "0, 0",
        ),
        (
            "pictures of the gallery resized as crops are",
            "preprocessing",
            _CROP,
            'filter="bicubic"',
            'filter="bilinear"',
        ),
        (
            "blue and red exchanged",
            "preprocessing",
            _CROP,
            "image[box] * kept",
            "image[box][..., ::-1] * kept",
        ),
    ),
    *_of(
        "c08a_kalman_box_filter",
        (
            "a box without height stays without",
            "preprocessing",
            _BOX_FILTER,
            "        height = 1.0\n",
            "        height = 1e-3\n",
        ),
        (
            "width in place of the aspect ratio",
            "preprocessing",
            _BOX_FILTER,
            "(right - left) / height, height])",
            "right - left, height])",
        ),
        (
            "the aspect ratio as uncertain as a position",
            "formula",
            _BOX_FILTER,
            "        deviations[_ASPECT] = _ASPECT_DEVIATION\n",
            "",
        ),
        (
            "the measured aspect ratio as certain as the predicted one",
            "formula",
            _BOX_FILTER,
            "_MEASURED_ASPECT_DEVIATION: Final = 1e-1",
            "_MEASURED_ASPECT_DEVIATION: Final = 1e-2",
        ),
        (
            "noise of the height after the move",
            "formula",
            _BOX_FILTER,
            "self._variances(state.mean[3]))\n",
            "self._variances(state.mean[3] + state.mean[7]))\n",
        ),
        (
            "the start as certain as a step",
            "formula",
            _BOX_FILTER,
            "_INITIATE_VELOCITY: Final = 10.0",
            "_INITIATE_VELOCITY: Final = 1.0",
        ),
        (
            "sides counted with their last pixel",
            "formula",
            _BOX_FILTER,
            "np.maximum(0.0, np.minimum(",
            "np.maximum(0.0, 1 + np.minimum(",
        ),
    ),
    *_of(
        "c08b_samurai_selection",
        (
            "the likeliest candidate whatever its motion",
            "formula",
            _SAMURAI,
            "weight * np.asarray(motion, np.float32)",
            "0 * np.asarray(motion, np.float32)",
        ),
        (
            "motion counts from the first good frame on",
            "formula",
            _SAMURAI,
            "self.stable_frames >= settings.stable_frames_threshold",
            "self.stable_frames >= 1",
        ),
        (
            "a bad frame is taken into the filter",
            "formula",
            _SAMURAI,
            "self.state, self.stable_frames = predicted, 0",
            "self.state, self.stable_frames = self.box_filter.update(predicted, measurement_from_box(box)), 0",
        ),
        (
            "a bad frame does not start the filter anew",
            "formula",
            _SAMURAI,
            "if self.state is None or self.stable_frames == 0:",
            "if self.state is None:",
        ),
        (
            "an absent object keeps its boxes",
            "preprocessing",
            _SAMURAI,
            "NO_OBJECT_LOGIT)",
            "0) + logits",
        ),
        (
            "logits enlarged between corners",
            "preprocessing",
            _SAMURAI,
            "+ np.float32(0.5)) * np.float32(source / size) - 0.5",
            ") * np.float32((source - 1) / (size - 1))",
        ),
        (
            "boxes that end after their last pixel",
            "preprocessing",
            _SAMURAI,
            "columns[-1], rows[-1]]",
            "columns[-1] + 1, rows[-1] + 1]",
        ),
        (
            "frame 1 is remembered for good",
            "sampling",
            _SAMURAI,
            "_OLDEST: Final = 2",
            "_OLDEST: Final = 1",
        ),
        (
            "the frame before is remembered only where it convinces",
            "sampling",
            _SAMURAI,
            "    if frame > 1 and frame - 1 not in kept:\n        kept.append(frame - 1)\n",
            "",
        ),
        (
            "the oldest memory has row 0",
            "sampling",
            _SAMURAI,
            "range(len(last) - 1, -1, -1)",
            "range(len(last))",
        ),
        (
            "motion has a say in what is remembered",
            "sampling",
            _SAMURAI,
            'mode == "reference" or frame.motion_score is None',
            "frame.motion_score is None",
        ),
        (
            "one pointer too many",
            "sampling",
            _SAMURAI,
            "max(0, frame - max_obj_ptrs)",
            "max(0, frame - max_obj_ptrs - 1)",
        ),
    ),
    *_of(
        "c11_prompt_grammar",
        (
            "an aesthetic score that is there gets a second one",
            "preprocessing",
            _SCORES,
            "partition(_CAMERA)\n    if aesthetic is not None and _AESTHETIC not in prompt:",
            "partition(_CAMERA)\n    if aesthetic is not None:",
        ),
        (
            "only the first motion score is replaced",
            "preprocessing",
            _SCORES,
            '{motion:.1f}", text)',
            '{motion:.1f}", text, count=1)',
        ),
        (
            "decimals of the motion score that is there stay",
            "preprocessing",
            _SCORES,
            '\\d+(\\.\\d+)?")',
            '\\d+")',
        ),
        (
            "the camera motion loses its double space",
            "preprocessing",
            _SCORES,
            'text += f" {_CAMERA} {rest.partition(_CAMERA)[0]}"',
            'text += f" {_CAMERA}{rest.partition(_CAMERA)[0]}"',
        ),
        (
            "the camera motion stays before the scores",
            "preprocessing",
            _SCORES,
            "    text, camera, rest = prompt.partition(_CAMERA)\n",
            '    text, camera, rest = prompt, "", ""\n',
        ),
        (
            "whole numbers are motion scores",
            "preprocessing",
            _REQUEST,
            "isinstance(motion, float)",
            "isinstance(motion, float | int)",
        ),
        (
            "motion 0.7 is asked for in any case",
            "preprocessing",
            _REQUEST,
            "if asked is None and not has_motion_score(prompt):",
            "if asked is None:",
        ),
        (
            "48 frames for three seconds",
            "sampling",
            _REQUEST,
            '"3": 49',
            '"3": 48',
        ),
        (
            "prompts are stripped",
            "preprocessing",
            _GRAMMAR,
            'line = _grammar(release), line.strip("\\n")',
            "line = _grammar(release), line.strip()",
        ),
        (
            "V3 splits at the images first",
            "preprocessing",
            _GRAMMAR,
            '"v3": LineGrammar(positions="required", positions_first=True,',
            '"v3": LineGrammar(positions="required",',
        ),
        (
            "V3 does without positions",
            "preprocessing",
            _GRAMMAR,
            '"v3": LineGrammar(positions="required", positions_first=True,',
            '"v3": LineGrammar(positions="optional",',
        ),
        (
            "V3 compares numbers of images and positions",
            "preprocessing",
            _GRAMMAR,
            "positions_first=True, appended=_NO_TEXT)",
            "positions_first=True, appended=_NO_TEXT, counts_agree=True)",
        ),
        (
            "V3.2 does not compare them",
            "preprocessing",
            _GRAMMAR,
            '"v3.2": LineGrammar(positions="optional", counts_agree=True)',
            '"v3.2": LineGrammar(positions="optional")',
        ),
        (
            "the sentence is not appended",
            "preprocessing",
            _GRAMMAR,
            "    return Line(prompt=prompt, sent=prompt + grammar.appended, images=images, positions=positions)",
            "    return Line(prompt=prompt, sent=prompt, images=images, positions=positions)",
        ),
    ),
    *_of(
        "gen_frame_ids",
        (
            "halves away from zero",
            "sampling",
            _FRAME_IDS,
            "FRAME_STEP * round(int((num_frames - 1) * position) / FRAME_STEP)",
            "FRAME_STEP * int(int((num_frames - 1) * position) / FRAME_STEP + 0.5)",
        ),
        (
            "frames rounded, not cut, before",
            "sampling",
            _FRAME_IDS,
            "round(int((num_frames - 1) * position)",
            "round(round((num_frames - 1) * position)",
        ),
        (
            "the number of frames in place of the last frame",
            "sampling",
            _FRAME_IDS,
            "int((num_frames - 1) * position)",
            "int(num_frames * position)",
        ),
        (
            "the first of two images on a frame wins",
            "sampling",
            _FRAME_IDS,
            "enumerate(ids)}",
            "reversed(list(enumerate(ids)))}",
        ),
        (
            "the first frame fills one channel",
            "preprocessing",
            _MASK,
            "mask[:1].expand(temporal_stride, -1, -1), mask[1:]",
            "torch.zeros_like(mask[:1]).expand(temporal_stride - 1, -1, -1), mask",
        ),
        (
            "channels and latent frames exchanged",
            "preprocessing",
            _MASK,
            "reshape(-1, temporal_stride, *mask.shape[1:]).transpose(0, 1)",
            "reshape(temporal_stride, -1, *mask.shape[1:])",
        ),
        (
            "the last frame counts four times",
            "preprocessing",
            _MASK,
            "torch.cat([mask[:1].expand(temporal_stride, -1, -1), mask[1:]])",
            "torch.cat([mask[:-1], mask[-1:].expand(temporal_stride, -1, -1)])",
        ),
    ),
    *_of(
        "gen_latent_size",
        (
            "width over height",
            "formula",
            _SIZE,
            "ratio = image_height / image_width",
            "ratio = image_width / image_height",
        ),
        (
            "sides rounded to a patch, not cut",
            "formula",
            _SIZE,
            "int(pixels // stride // patch)",
            "round(pixels / stride / patch)",
        ),
        (
            "multiples of one latent, not of a patch",
            "formula",
            _SIZE,
            "int(pixels // stride // patch) * patch",
            "int(pixels // stride)",
        ),
    ),
    *_of(
        "gen_spatial_masks",
        (
            "white is generated",
            "preprocessing",
            _MASK,
            "(mask_video[:, 0] > 0)",
            "(mask_video[:, 0] < 0)",
        ),
        (
            "every fourth frame is known whole",
            "preprocessing",
            _MASK,
            "slice(None, None, FRAME_STEP)",
            "slice(None, None, 4)",
        ),
        (
            "no frame of a spatial mask is known whole",
            "preprocessing",
            _MASK,
            '"spatial": slice(0, 1)',
            '"spatial": slice(0, 0)',
        ),
        (
            "temporal masks are reduced with antialiasing",
            "preprocessing",
            _MASK,
            'mode="bicubic", align_corners=False, antialias=False)\n    return reduced',
            'mode="bicubic", align_corners=False, antialias=True)\n    return reduced',
        ),
        (
            "bilinear weights for bicubic ones",
            "preprocessing",
            _MASK,
            'mode="bicubic", align_corners',
            'mode="bilinear", align_corners',
        ),
        (
            "overshoot is clamped",
            "preprocessing",
            _MASK,
            "return reduced[:, 0]",
            "return reduced[:, 0].clamp(0, 1)",
        ),
        (
            "spatial masks are reduced like temporal ones",
            "preprocessing",
            _MASK,
            '    if kind == "spatial":\n',
            '    if kind == "neither":\n',
        ),
        (
            "what is not known is black",
            "preprocessing",
            _MASK,
            "(frames * area)",
            "((frames + 1) * area - 1)",
        ),
        (
            "the video is resized with bilinear weights",
            "preprocessing",
            _MASK,
            'interpolate(video, size=size, mode="nearest")',
            'interpolate(video, size=size, mode="bilinear")',
        ),
    ),
    *_of(
        "gen_flowmatch_schedule",
        (
            "no extra step",
            "formula",
            _FLOW,
            "steps + extra_one_step, dtype",
            "steps, dtype",
        ),
        (
            "the shift the other way round",
            "formula",
            _FLOW,
            "return shift * sigmas / (1 + (shift - 1) * sigmas)",
            "return sigmas / (shift - (shift - 1) * sigmas)",
        ),
        (
            "the shift without its denominator's 1",
            "formula",
            _FLOW,
            "(1 + (shift - 1) * sigmas)",
            "(1 + shift * sigmas)",
        ),
        (
            "the lowest weight stays",
            "formula",
            _FLOW,
            "    bell -= bell.min(initial=np.inf)\n",
            "",
        ),
        (
            "weights with a sum of 1",
            "formula",
            _FLOW,
            "bell /= bell.mean()",
            "bell /= bell.sum()",
        ),
        (
            "a bell half as wide",
            "formula",
            _FLOW,
            "np.exp(-2 * ",
            "np.exp(-8 * ",
        ),
    ),
    *_of(
        "gen_unipc_schedule",
        (
            "the corrector is left out",
            "formula",
            _UNIPC,
            "            state = _corrected(start, known, sigma, clean)\n",
            "            pass\n",
        ),
        (
            "the predictor stays of order 1",
            "formula",
            _UNIPC,
            "_predicted(start, known[-1:] if is_last else known,",
            "_predicted(start, known[-1:],",
        ),
        (
            "the last step of order 2",
            "formula",
            _UNIPC,
            "known[-1:] if is_last else known,",
            "known,",
        ),
        (
            "weights of order 1 in the corrector",
            "formula",
            _UNIPC,
            "first, second = _corrector_weights(step, ratio)",
            "first, second = 0.0, 0.5 + 0 * ratio",
        ),
        (
            "bh1 in place of bh2",
            "formula",
            _UNIPC,
            "state = state + scale * 0.5 * _slope(known, step)[0]",
            "state = state + (1 - sigma) * step * 0.5 * _slope(known, step)[0]",
        ),
        (
            "levels begin at 1 - 1/1000 in double precision and end at 1/1000",
            "sampling",
            _UNIPC,
            "np.linspace(highest, 0.0, steps + 1)",
            "np.append(np.linspace(highest, 1 / num_train_timesteps, steps), 0.0)",
        ),
        (
            "timesteps rounded, not cut",
            "sampling",
            _UNIPC,
            "(_levels(steps, shift, num_train_timesteps)[:-1] * num_train_timesteps).astype",
            "(_levels(steps, shift, num_train_timesteps)[:-1] * num_train_timesteps).round().astype",
        ),
        (
            "the clean latent with a whole velocity",
            "formula",
            _UNIPC,
            "clean = state - sigma * velocity",
            "clean = state - velocity",
        ),
        (
            "the boundary between the experts exchanged",
            "sampling",
            _EXPERTS,
            "timestep >= boundary",
            "timestep < boundary",
        ),
    ),
    *_of(
        "gen_oss_sigmas",
        (
            "levels in the order of the list",
            "sampling",
            _STEP_LISTS,
            "[list(steps)[::-1]]",
            "[list(steps)]",
        ),
        (
            "indices counted from noise",
            "sampling",
            _STEP_LISTS,
            "np.linspace(0.0, 1.0, teacher_steps + 1)",
            "np.linspace(1.0, 0.0, teacher_steps + 1)",
        ),
        (
            "one level less",
            "sampling",
            _STEP_LISTS,
            "np.linspace(0.0, 1.0, teacher_steps + 1)",
            "np.linspace(0.0, 1.0, teacher_steps + 2)",
        ),
        (
            "guidance on top of the conditional prediction",
            "formula",
            _GUIDANCE,
            "return unconditional + scale",
            "return conditional + scale",
        ),
        (
            "the last step ends at its own level",
            "sampling",
            _FLOW,
            "[*sigmas[1:], 0.0]",
            "[*sigmas[1:], sigmas[-1]]",
        ),
        (
            "steps towards noise",
            "formula",
            _FLOW,
            "state + velocity * (next_sigma - sigma)",
            "state - velocity * (next_sigma - sigma)",
        ),
    ),
    *_of(
        "gen_oss_search",
        (
            "costs with a root",
            "formula",
            _SEARCH,
            "(difference.abs() ** norm).mean())",
            "(difference.abs() ** norm).mean() ** (1 / norm))",
        ),
        (
            "the norm is always 2",
            "formula",
            _SEARCH,
            "difference.abs() ** norm",
            "difference.abs() ** 2",
        ),
        (
            "all frames count",
            "sampling",
            _SEARCH,
            "    if frames is None:\n        return state\n",
            "    return state\n",
        ),
        (
            "all channels count",
            "sampling",
            _SEARCH,
            "state[:, :channels]",
            "state[:, :]",
        ),
        (
            "the first frames in place of spread ones",
            "sampling",
            _SEARCH,
            "torch.linspace(0, state.shape[2] - 1, frames)",
            "torch.arange(frames)",
        ),
        (
            "steps from the teacher's states",
            "formula",
            _SEARCH,
            "states, is_new = reached, changed",
            "states, is_new = teacher_states(velocity, noise, levels), [True] * (highest + 1)",
        ),
        (
            "an equal cost replaces the one before",
            "formula",
            _SEARCH,
            "if cost < costs[end]:",
            "if cost <= costs[end] * 1.01:",
        ),
        (
            "the path from the second level",
            "formula",
            _SEARCH,
            "steps[-1] if steps else 0",
            "steps[-1] if steps else 1",
        ),
        (
            "means for medians",
            "formula",
            _SEARCH,
            "int(statistics.median_low(place))",
            "int(statistics.mean(place))",
        ),
    ),
    *_of(
        "gen_v1_slots",
        (
            "the middle is half the latent frames",
            "sampling",
            _SLOTS,
            "1 + (frames - 3) // 2",
            "frames // 2 + 1",
        ),
        (
            "the second image in the middle",
            "sampling",
            _SLOTS,
            "2: (0, last)",
            "2: (0, last // 2)",
        ),
        (
            "the first frame shares its slot",
            "sampling",
            _SLOTS,
            "(frame - 1) // compression + 1",
            "frame // compression",
        ),
        (
            "the last five frames are the clip's own",
            "sampling",
            _SLOTS,
            "frame >= num_frames - compression",
            "frame >= num_frames - compression - 1",
        ),
    ),
    *_of(
        "gen_v1_schedule",
        (
            "the table stretched before the steps are taken",
            "formula",
            _NOISE,
            "np.append(zero_snr(clean_first)[::-1], 1.0)",
            "np.append(self.denoiser_levels()[self.timesteps(steps)], 1.0)",
        ),
        (
            "no stretching",
            "formula",
            _NOISE,
            "return np.append(zero_snr(clean_first)[::-1], 1.0)",
            "return np.append(clean_first[::-1], 1.0)",
        ),
        (
            "equal betas in place of equal roots",
            "formula",
            _NOISE,
            "np.cumprod(1 - roots**2)",
            "np.cumprod(1 - np.linspace(self.beta_start, self.beta_end, len(roots)))",
        ),
        (
            "alpha-bar in place of its root",
            "formula",
            _NOISE,
            "np.sqrt(self.alpha_bar()[self.timesteps(steps)[::-1]])",
            "self.alpha_bar()[self.timesteps(steps)[::-1]]",
        ),
        (
            "timesteps counted from 0",
            "sampling",
            _NOISE,
            "return np.linspace(total - 1, 0, steps, endpoint=False).astype(np.int64)",
            "return np.linspace(total, 0, steps, endpoint=False).astype(np.int64) - total // steps",
        ),
        (
            "guidance of the index of the step",
            "formula",
            _DYNAMIC_GUIDANCE,
            "((steps - timestep) / steps)",
            "((steps - timestep * steps / 1000) / steps)",
        ),
        (
            "guidance without its 1",
            "formula",
            _DYNAMIC_GUIDANCE,
            "return 1 + scale",
            "return scale",
        ),
        (
            "guidance with a sine",
            "formula",
            _DYNAMIC_GUIDANCE,
            "(1 - math.cos(",
            "(1 - math.sin(",
        ),
    ),
    *_of(
        "gen_condition_tensor",
        (
            "latents before the mask",
            "network",
            _CONDITION,
            "[mask.to(latents), normalised(latents, latents_mean, latents_std)]",
            "[normalised(latents, latents_mean, latents_std), mask.to(latents)]",
        ),
        (
            "latents that are not normalised",
            "formula",
            _CONDITION,
            "normalised(latents, latents_mean, latents_std)]",
            "latents]",
        ),
        (
            "images that stay in 0 to 1",
            "preprocessing",
            _CONDITION,
            "image.float()[None] * 2 - 1",
            "image.float()[None]",
        ),
        (
            "black where nothing is known",
            "preprocessing",
            _CONDITION,
            "video = torch.zeros(3,",
            "video = -torch.ones(3,",
        ),
        (
            "images resized with antialiasing",
            "preprocessing",
            _CONDITION,
            "align_corners=False, antialias=False",
            "align_corners=False, antialias=True",
        ),
        (
            "images resized bilinearly",
            "preprocessing",
            _CONDITION,
            'mode="bicubic", align',
            'mode="bilinear", align',
        ),
        (
            "a sample of the posterior in conditions",
            "sampling",
            _WAN_VAE,
            "posterior.mode()",
            "posterior.sample()",
        ),
    ),
    *_of(
        "gen_loop_v32_two_experts",
        (
            "the experts exchanged",
            "network",
            _WAN_LOOP,
            "(network.high, high) if is_high else (network.low, low)",
            "(network.low, high) if is_high else (network.high, low)",
        ),
        (
            "a pair of guidance as (high, low)",
            "formula",
            _WAN_LOOP,
            "(batch, *_), (low, high) = state.shape, scales",
            "(batch, *_), (high, low) = state.shape, scales",
        ),
        (
            "the boundary of the text-to-video networks",
            "sampling",
            _WAN_LOOP,
            "is_high_noise(timestep, network.boundary)",
            "is_high_noise(timestep, 0.875)",
        ),
        (
            "the expert above the boundary only",
            "sampling",
            _WAN_LOOP,
            'return "H" if is_high_noise(timestep, experts.boundary) else "L"',
            'return "H" if timestep > 972 else "L"',
        ),
        (
            "a state in bfloat16",
            "sampling",
            _WAN_LOOP,
            "start, levels, timesteps = noise.float(),",
            "start, levels, timesteps = noise.bfloat16(),",
        ),
        (
            "texts that are not padded",
            "network",
            _WAN_DENOISER,
            "padded_text(list(text), self.text_len)",
            "text",
        ),
    ),
    *_of(
        "gen_loop_v3_any_frame",
        (
            "the condition before the noise",
            "network",
            _WAN_LOOP,
            "[state, _of_batch(inputs.condition, batch).to(state)]",
            "[_of_batch(inputs.condition, batch).to(state), state]",
        ),
        (
            "guidance towards the negative prompt",
            "formula",
            _WAN_LOOP,
            "guided(unconditional, conditional, scale)",
            "guided(conditional, unconditional, scale)",
        ),
        (
            "guidance added to the conditional prediction",
            "formula",
            _WAN_LOOP,
            "guided(unconditional, conditional, scale)",
            "conditional + scale * (conditional - unconditional)",
        ),
        (
            "zeros for the negative prompt",
            "network",
            _WAN_LOOP,
            "asked(joined, told, _of_batch(inputs.negative_text, batch), image)",
            "asked(joined, told, 0 * _of_batch(inputs.text, batch), image)",
        ),
        (
            "levels without the shift",
            "sampling",
            _WAN_LOOP,
            "tuple(unipc_sigmas(steps, shift).tolist())",
            "tuple(unipc_sigmas(steps, 1.0).tolist())",
        ),
        (
            "timesteps one too low",
            "sampling",
            _WAN_LOOP,
            "[int(timestep) for timestep in timesteps]",
            "[int(timestep) - 1 for timestep in timesteps]",
        ),
        (
            "decoded without the standard deviations",
            "formula",
            _WAN_VAE,
            "(latents * std + mean)",
            "(latents + mean)",
        ),
    ),
    *_of(
        "gen_wan21_dit",
        (
            "the keys of the image for those of the text",
            "network",
            _WAN_KEYS,
            ('    "cross_attn.k_img": "attn2.add_k_proj",\n    "cross_attn.v_img": "attn2.add_v_proj",\n'),
            ('    "cross_attn.k_img": "attn2.add_v_proj",\n    "cross_attn.v_img": "attn2.add_k_proj",\n'),
        ),
        (
            "queries and keys exchanged",
            "network",
            _WAN_KEYS,
            'f"attn1.to_{name}" for name in "qkv"',
            'f"attn1.to_{other}" for name, other in zip("qkv", "kqv")',
        ),
        (
            "the second layers of text and time exchanged",
            "network",
            _WAN_KEYS,
            (
                '    "text_embedding.2": "condition_embedder.text_embedder.linear_2",\n'
                '    "time_embedding.0": "condition_embedder.time_embedder.linear_1",\n'
                '    "time_embedding.2": "condition_embedder.time_embedder.linear_2",\n'
            ),
            (
                '    "text_embedding.2": "condition_embedder.time_embedder.linear_2",\n'
                '    "time_embedding.0": "condition_embedder.time_embedder.linear_1",\n'
                '    "time_embedding.2": "condition_embedder.text_embedder.linear_2",\n'
            ),
        ),
        (
            "rotary positions of another base",
            "network",
            _WAN_NETWORKS,
            "rope.patch_size, rope.max_seq_len)",
            "rope.patch_size, rope.max_seq_len, 1000.0)",
        ),
        (
            "the level of noise for the timestep",
            "network",
            _WAN_DENOISER,
            "timestep=timestep,",
            "timestep=timestep / 1000,",
        ),
        (
            "ones behind the text",
            "preprocessing",
            _WAN_DENOISER,
            "text.new_zeros(length",
            "text.new_ones(length",
        ),
        (
            "a network in bfloat16",
            "network",
            _WAN_DENOISER,
            "dtype = self.network.patch_embedding",
            "dtype = self.network.bfloat16().patch_embedding",
        ),
        (
            "a velocity of the other sign",
            "formula",
            _WAN_DENOISER,
            "return velocity.float()",
            "return -velocity.float()",
        ),
    ),
    *_of(
        "gen_wan22_dit_noclip",
        (
            "texts that are not padded",
            "network",
            _WAN_DENOISER,
            "padded_text(list(text), self.text_len)",
            "text",
        ),
        (
            "the scales of queries and keys exchanged",
            "network",
            _WAN_KEYS,
            ('    "self_attn.norm_q": "attn1.norm_q",\n    "self_attn.norm_k": "attn1.norm_k",\n'),
            ('    "self_attn.norm_q": "attn1.norm_k",\n    "self_attn.norm_k": "attn1.norm_q",\n'),
        ),
        (
            "the attentions' scales exchanged",
            "network",
            _WAN_KEYS,
            (
                '    "self_attn.norm_q": "attn1.norm_q",\n'
                '    "self_attn.norm_k": "attn1.norm_k",\n'
                '    "cross_attn.norm_q": "attn2.norm_q",\n'
            ),
            (
                '    "self_attn.norm_q": "attn2.norm_q",\n'
                '    "self_attn.norm_k": "attn1.norm_k",\n'
                '    "cross_attn.norm_q": "attn1.norm_q",\n'
            ),
        ),
        (
            "heads twice as wide",
            "network",
            _WAN_NETWORKS,
            ('        "num_attention_heads": heads,\n        "attention_head_dim": dim // heads,\n'),
            ('        "num_attention_heads": heads // 2,\n        "attention_head_dim": dim // heads * 2,\n'),
        ),
    ),
    *_of(
        "gen_wan_vae",
        (
            "latents without their means",
            "formula",
            _CONDITION,
            "return (latents - mean) / std",
            "return latents / std",
        ),
        (
            "latents times their standard deviations",
            "formula",
            _CONDITION,
            "return (latents - mean) / std",
            "return (latents - mean) * std",
        ),
        (
            "a sample of the posterior",
            "sampling",
            _WAN_VAE,
            "posterior.mode()",
            "posterior.sample()",
        ),
        (
            "means added before the standard deviations are undone",
            "formula",
            _WAN_VAE,
            "(latents * std + mean)",
            "((latents + mean) * std)",
        ),
        (
            "the residual blocks of the middle exchanged",
            "network",
            _WAN_KEYS,
            '_MIDDLE: Final = (("resnets.0", _RESIDUAL), ("attentions.0", _ATTENTION), ("resnets.1", _RESIDUAL))',
            '_MIDDLE: Final = (("resnets.1", _RESIDUAL), ("attentions.0", _ATTENTION), ("resnets.0", _RESIDUAL))',
        ),
        (
            "a VAE in bfloat16",
            "network",
            _WAN_VAE,
            "self.network.encode(video[None].to(parameter))",
            "self.network.bfloat16().encode(video[None].bfloat16())",
        ),
    ),
)
