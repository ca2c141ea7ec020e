"""The DreamSim ensemble: three vision transformers fitted to what people find alike (Fu et al. 2023, arXiv 2306.09344).

ssundaram21/dreamsim, release v0.2.0: DINO, OpenAI's CLIP and OpenCLIP, all ViT-B/16, with a low-rank adapter of the
attention's inputs that is merged into the weights here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from anisora.harness.weights import Tensors, load_weights, match_keys
from anisora.metrics.networks.dino import WEIGHTS as DINO_WEIGHTS

if TYPE_CHECKING:
    import torch

__all__ = ["PUBLISHED", "TOWERS", "WEIGHTS", "Architecture", "DreamSim", "adapter_shapes"]

WEIGHTS: Final = "dreamsim-ensemble"
TOWERS: Final = ("dino", "clip", "open_clip")
"""In the order of the embedding's parts and of the adapter's keys."""
_FILES: Final = {"clip": "dreamsim/clip_vitb16_pretrain.pth", "open_clip": "dreamsim/open_clip_vitb16_pretrain.pth"}
_INSIDE: Final = "state_dict"
_ADAPTER: Final = "dreamsim/ensemble_lora/adapter_model.safetensors"
_ALPHA: Final = 0.5
_DINO_EPSILON: Final = 1e-6
_CLIP_EPSILON: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Sizes of the towers and of their adapter; the defaults are those of the published files."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    projected: int = 512
    """Features of each CLIP tower."""
    rank: int = 16
    """Of the adapter, whose matrices are scaled by alpha / rank."""

    @property
    def dimensions(self) -> int:
        """Length of the embedding."""
        return self.width + 2 * self.projected


PUBLISHED: Final = Architecture()


class DreamSim:
    """From pictures to embeddings whose angle tells how unlike they look."""

    def __init__(self, states: Mapping[str, Tensors] | None = None, *, architecture: Architecture = PUBLISHED) -> None:
        """Make the three towers and merge the adapter.

        Args:
            states: {``dino``, ``clip``, ``open_clip``, ``adapter``: tensors under the keys of the published file}, in
                place of the files; they are left as they are.
            architecture: Sizes.

        Raises:
            WeightsMissing: A file is absent or not the ledger's.
            ConfigError: The keys or shapes of a file are not the network's.
        """
        self.architecture = architecture
        given = states or {}
        shapes = adapter_shapes(architecture)
        adapter = (
            match_keys(given["adapter"], shapes, source="adapter")
            if states
            else load_weights(WEIGHTS, shapes, file=_ADAPTER)
        )
        self.towers: dict[str, Any] = {
            "dino": filled(self.empty_tower("dino", architecture), DINO_WEIGHTS, state=given.get("dino")),
            **{
                name: filled(
                    self.empty_tower(name, architecture), WEIGHTS, state=given.get(name), file=file, inside=_INSIDE
                )
                for name, file in _FILES.items()
            },
        }
        for place, name in enumerate(TOWERS):
            _merge(self.towers[name], adapter, place, _ALPHA / architecture.rank)

    @staticmethod
    def empty_tower(name: str, architecture: Architecture = PUBLISHED) -> "torch.nn.Module":
        """Return a tower without numbers; its keys are those of the published file.

        Args:
            name: One of TOWERS. Those of CLIP have a norm before the blocks, under the name ``pos_drop``, and a
                projection; the GELU of ``clip`` is the quick approximation.
            architecture: Sizes.
        """
        import torch
        from timm.layers import QuickGELU
        from timm.models.vision_transformer import VisionTransformer

        with without_numbers():
            tower: torch.nn.Module = VisionTransformer(
                img_size=224,
                patch_size=16,
                embed_dim=architecture.width,
                depth=architecture.layers,
                num_heads=architecture.heads,
                num_classes=0,
                global_pool="token",
                norm_layer=partial(torch.nn.LayerNorm, eps=_DINO_EPSILON if name == "dino" else _CLIP_EPSILON),
                act_layer=QuickGELU if name == "clip" else torch.nn.GELU,
            )
            if name != "dino":
                # timm calls ``pos_drop`` between the position embeddings and the blocks, where CLIP has a norm.
                tower.pos_drop = torch.nn.LayerNorm(architecture.width, eps=_CLIP_EPSILON)
                tower.proj = torch.nn.Parameter(torch.empty(architecture.width, architecture.projected))
        return tower

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the embeddings of pictures.

        Args:
            pixels: (N, 3, 224, 224) float32, 0..1; each tower normalises them as it was trained.

        Returns:
            (N, 1792) float32 on the CPU, of mean 0 and length 1.
        """
        import torch

        with inference():
            joined = torch.cat([self._features(name, pixels) for name in TOWERS], dim=-1)
            centred = joined - joined.mean(dim=-1, keepdim=True)
            embedded = torch.nn.functional.normalize(centred, dim=-1)
        return embedded.cpu()

    def _features(self, name: str, pixels: "torch.Tensor") -> "torch.Tensor":
        import torch

        tower = self.towers[name]
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if name == "dino" else (CLIP_MEAN, CLIP_STD)
        centre, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        seen = ((pixels - centre) / spread).to(tower.cls_token.device)
        hidden = tower.blocks(tower._pos_embed(tower.patch_embed(seen)))
        # DINO's class token is taken before the last norm, those of the CLIPs are projected after it.
        features: torch.Tensor = hidden[:, 0] if name == "dino" else tower.norm(hidden)[:, 0] @ tower.proj
        return features


def adapter_shapes(architecture: Architecture = PUBLISHED) -> dict[str, tuple[int, ...]]:
    """Return {key: shape} of the adapter's file."""
    shapes: dict[str, tuple[int, ...]] = {}
    for place in range(len(TOWERS)):
        for layer in range(architecture.layers):
            down, up = _adapter_keys(place, layer)
            shapes[down] = (architecture.rank, architecture.width)
            shapes[up] = (3 * architecture.width, architecture.rank)
    return shapes


def _adapter_keys(place: int, layer: int) -> tuple[str, str]:
    prefix = f"base_model.model.extractor_list.{place}.model.blocks.{layer}.attn.qkv"
    return f"{prefix}.lora_A.weight", f"{prefix}.lora_B.weight"


def _merge(tower: Any, adapter: Tensors, place: int, scale: float) -> None:  # noqa: ANN401 - a timm module
    import torch

    with inference():
        for layer, block in enumerate(tower.blocks):
            weight = block.attn.qkv.weight
            down, up = (adapter[key].to(weight.device, torch.float32) for key in _adapter_keys(place, layer))
            # A new tensor, not a change of the old one, which may be the caller's.
            block.attn.qkv.weight = torch.nn.Parameter(weight + scale * (up @ down), requires_grad=False)
