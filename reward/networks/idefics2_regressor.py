"""Idefics2 with one number in place of words: the regressors of the anime reward's smoothness and appeal.

A SigLIP tower that takes pictures of any size, a perceiver that makes 64 tokens of each, Mistral-7B over text and
pictures, and a linear head on the last position (Idefics2: Laurençon et al. 2024; the regression: He et al. 2024,
VideoScore). transformers hosts the body; what it computes differently from the release is put right here.
"""

from typing import TYPE_CHECKING, Any, Final

from anisora.harness.device import Dtype
from anisora.harness.errors import ConfigError, MetricError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors, load_state_dict, locate, untrained_seed
from anisora.reward.mode import Mode
from anisora.reward.networks.idefics2_sizes import RELEASED, Idefics2Sizes

if TYPE_CHECKING:
    import torch

__all__ = ["BODY", "Idefics2Regressor", "kept_patches", "position_ids"]

BODY: Final[Dtype] = "bfloat16"
"""Number format of the release, on every device."""
_PICTURES_AT_ONCE: Final = 2
"""In the tower; as in the release, so that memory does not grow with the clip."""


class Idefics2Regressor:
    """Logits of a text with pictures, on the scale of the training labels: 0..100, without a bound."""

    def __init__(
        self,
        weights: str,
        *,
        state: Tensors | None = None,
        sizes: Idefics2Sizes = RELEASED,
        dtype: Dtype = BODY,
    ) -> None:
        """Make the network.

        Args:
            weights: Entry of the ledger.
            state: Tensors under the keys of the published files, in place of these.
            sizes: Of the tensors.
            dtype: Number format of body and head; the release runs in bfloat16.

        Raises:
            WeightsMissing: A file is absent or not the ledger's.
            ConfigError: The tensors do not fit the sizes.
        """
        if state is None and untrained_seed() is None:
            state = _published(weights)
        self.sizes = sizes
        self.module: Any = filled(self.empty(sizes), weights, state=state, dtype=dtype)

    @staticmethod
    def empty(sizes: Idefics2Sizes = RELEASED) -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published files."""
        import torch
        from transformers import Idefics2Model

        with without_numbers():
            model: Any = Idefics2Model(sizes.transformers_config())
            model.vision_model.embeddings = _placed_embeddings(model.vision_model.config)
            score = torch.nn.Linear(sizes.width, sizes.labels, bias=True)
        # The angles of the text's positions are no part of the state, so no file will fill them.
        model.text_model.rotary_emb = type(model.text_model.rotary_emb)(config=model.text_model.config)
        return torch.nn.ModuleDict({"model": model, "score": score})

    def __call__(
        self,
        tokens: "torch.Tensor",
        pixels: "torch.Tensor",
        mask: "torch.Tensor",
        *,
        mode: Mode = "reference",
    ) -> "torch.Tensor":
        """Return the logits of one text with its pictures.

        Args:
            tokens: (N,) int64; the image token stands ``latents`` times for each picture, in order.
            pixels: (T, 3, H, W) float32, normalised to -1..1.
            mask: (T, H, W), not zero on real pixels and zero on padding.
            mode: Number format of the head.

        Returns:
            (labels,) float32 on the CPU.

        Raises:
            MetricError: The text has room for more or fewer pictures than there are.
        """
        head = self.module["score"]
        with inference():
            hidden = self._last_hidden(tokens, pixels, mask)
            if mode == "reference":
                logits = head(hidden)
            else:
                import torch

                logits = torch.nn.functional.linear(hidden.float(), head.weight.float(), head.bias.float())
        result: torch.Tensor = logits.float().cpu()
        return result

    def _last_hidden(self, tokens: "torch.Tensor", pixels: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        """Return (width,), the body's state at the last position: there is no padding after the text."""
        text = self.module["model"].text_model
        places = tokens == self.sizes.image_token
        room, needed = int(places.sum()), len(pixels) * self.sizes.latents
        if room != needed:
            raise MetricError(
                f"The text has {room} image tokens; expected {needed}, {self.sizes.latents} for each of "
                f"{len(pixels)} pictures."
            )
        embedded = text.get_input_embeddings()(tokens.to(self.module["score"].weight.device))
        embedded[places.to(embedded.device)] = self.picture_tokens(pixels, mask).flatten(0, 1)
        hidden: torch.Tensor = text(inputs_embeds=embedded[None], use_cache=False).last_hidden_state[0, -1]
        return hidden

    def picture_tokens(self, pixels: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        """Return what stands for pictures in the text, on the device and in the number format of the body.

        Args:
            pixels: (T, 3, H, W) float32.
            mask: (T, H, W), not zero on real pixels.

        Returns:
            (T, latents, width).
        """
        import torch

        model, weight = self.module["model"], self.module["score"].weight
        features = []
        with inference():
            for start in range(0, len(pixels), _PICTURES_AT_ONCE):
                some = pixels[start : start + _PICTURES_AT_ONCE].to(weight.device, weight.dtype)
                kept = kept_patches(mask[start : start + _PICTURES_AT_ONCE], self.sizes.patch).to(weight.device)
                seen = model.vision_model(pixel_values=some, patch_attention_mask=kept).last_hidden_state
                features.append(model.connector(seen, attention_mask=kept.flatten(1)))
        return torch.cat(features)


def _placed_embeddings(config: Any) -> "torch.nn.Module":  # noqa: ANN401 - the tower's Idefics2VisionConfig
    """Return the tower's first layer, with the positions of the release."""
    from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionEmbeddings

    class PlacedEmbeddings(Idefics2VisionEmbeddings):
        def forward(self, pixel_values: "torch.Tensor", patch_attention_mask: "torch.Tensor") -> "torch.Tensor":
            patches = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)
            places = position_ids(patch_attention_mask, self.num_patches_per_side).to(patches.device)
            embedded: torch.Tensor = patches + self.position_embedding(places)
            return embedded

    return PlacedEmbeddings(config)


def kept_patches(mask: "torch.Tensor", patch: int) -> "torch.Tensor":
    """Return which patches of padded pictures are seen: those with any real pixel (transformers: only real pixels).

    Args:
        mask: (n, H, W), not zero on real pixels.
        patch: Side of a patch; pixels. What is left over at the right and at the bottom belongs to no patch.

    Returns:
        (n, H // patch, W // patch) bool.
    """
    import torch

    kept: torch.Tensor = torch.nn.functional.max_pool2d((mask != 0)[:, None].float(), patch)[:, 0] > 0
    return kept


def position_ids(kept: "torch.Tensor", grid: int) -> "torch.Tensor":
    """Return which of the learned positions each patch has: its place as a fraction of the picture's sides.

    The fractions are those of an ``arange`` with the step 1 / count, as in the release. transformers multiplies place
    and step instead, which rounds otherwise where a side has 49 or 58 patches of a grid of 70.

    Args:
        kept: (n, rows, columns) bool, the seen patches of each picture in its upper left corner.
        grid: Learned positions on a side.

    Returns:
        (n, rows * columns) int64 on the CPU; 0 where a patch is not seen.
    """
    import torch

    edges = torch.arange(1 / grid, 1.0, 1 / grid)
    places = torch.zeros(kept.shape, dtype=torch.int64)
    for place, seen in zip(places, kept.cpu(), strict=True):
        rows, columns = int(seen[:, 0].sum()), int(seen[0].sum())
        down, across = (
            torch.bucketize(torch.arange(0, 1 - 1e-6, float(1 / torch.tensor(count))), edges, right=True)
            for count in (rows, columns)
        )
        place[:rows, :columns] = down[:, None] * grid + across
    return places.flatten(1)


def _published(weights: str) -> Tensors:
    """Return the tensors of all files of an entry.

    Raises:
        ConfigError: Two of them have one key.
    """
    state: Tensors = {}
    for path in locate([weights])[weights].values():
        if path.suffix != ".safetensors":
            continue
        tensors = load_state_dict(path)
        twice = sorted(set(tensors) & set(state))
        if twice:
            raise ConfigError(f"Weights `{path}` hold {twice[0]!r}, which another file of `{weights}` holds too.")
        state.update(tensors)
    return state
