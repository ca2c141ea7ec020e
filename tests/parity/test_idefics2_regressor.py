"""The Idefics2 regressor against the reference's own network with small weights, and against known mistakes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared
from tiny_judge import SIZES, noise_frames, tiny_config, tiny_state

from anisora.harness.errors import ConfigError, DataError
from anisora.reward.golden import idefics2_regressor as golden
from anisora.reward.golden.idefics2_regressor import handle, token_runs
from anisora.reward.judge import prompt, tokens
from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.tokens import FAKE, IMAGE
from anisora.reward.networks import idefics2_regressor as network_module
from anisora.reward.networks.idefics2_regressor import Idefics2Regressor
from anisora.reward.networks.idefics2_sizes import Idefics2Sizes

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

CASE = GOLDEN / "c01_idefics2_regressor"

pytestmark = pytest.mark.parity


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def failed(folder: Path) -> set[str]:
    return {comparison.name for comparison in handle(folder, read(folder)) if not comparison.passed}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    shutil.copytree(CASE, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


def change(folder: Path, file: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    tensors = safetensors.load_file(folder / file)
    safetensors.save_file({key: value.contiguous() for key, value in edit(tensors).items()}, folder / file)


def change_table(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    tables = json.loads((folder / "expected.json").read_text())
    edit(tables)
    (folder / "expected.json").write_text(json.dumps(tables))


@needs_shared
def test_everything_that_the_reference_computed_is_computed_alike() -> None:
    comparisons = handle(CASE, read(CASE))
    assert all(comparison.passed for comparison in comparisons), [each for each in comparisons if not each.passed]
    names = {comparison.name for comparison in comparisons}
    assert {"pixel_values", "pixel_attention_mask", "logits", "partial_logits", "score"} <= names
    tables = json.loads((CASE / "expected.json").read_text())
    rows = sum(len(table) for table in tables.values() if isinstance(table, list))
    assert len(comparisons) == rows + 1 + len(safetensors.load_file(CASE / "expected.safetensors"))


@needs_shared
def test_the_perceivers_own_epsilon_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Idefics2Sizes.transformers_config

    def plain(sizes: Idefics2Sizes) -> Any:
        config = build(sizes)
        config.perceiver_config.rms_norm_eps = 1e-6
        return config

    monkeypatch.setattr(Idefics2Sizes, "transformers_config", plain)
    assert {"logits", "partial_logits", "score"} == failed(CASE)


@needs_shared
def test_patches_of_real_pixels_alone_would_be_noticed_where_frames_are_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_real(mask: Any, patch: int) -> Any:
        return -torch.nn.functional.max_pool2d(-(mask != 0)[:, None].float(), patch)[:, 0] > 0

    monkeypatch.setattr(network_module, "kept_patches", all_real)
    assert failed(CASE) == {"partial_logits"}


@needs_shared
def test_the_position_before_the_last_would_be_noticed(copy: Path) -> None:
    change(copy, "inputs.safetensors", lambda tensors: {**tensors, "input_ids": tensors["input_ids"][:, :-1]})
    assert failed(copy) == {"logits", "score"}


@needs_shared
def test_pictures_squashed_to_a_square_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PictureRecipe, "size", lambda recipe, *_: (recipe.longest, recipe.longest))
    assert {"pixel_values", "pixel_attention_mask", "logits"} <= failed(CASE)


@needs_shared
def test_split_pictures_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        golden, "expanded", lambda text, latents: tokens.expanded(text.replace(IMAGE, IMAGE * 5), latents)
    )
    assert {"tokens of 1 pictures", "tokens of 24 pictures", "tokens of '<image>'"} <= failed(CASE)


@needs_shared
def test_markers_without_a_space_between_them_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def dense(template: str, caption: str, pictures: int) -> str:
        return prompt.judge_prompt(template, caption, pictures).replace(f"{IMAGE} {IMAGE}", IMAGE * 2)

    monkeypatch.setattr(golden, "judge_prompt", dense)
    names = failed(CASE)
    assert "tokens of 1 pictures" not in names
    assert {"tokens of 2 pictures", "prompt of '' and 24"} <= names


@needs_shared
def test_rounding_to_other_digits_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "score_of", lambda logit, _: float(logit) / 100)
    assert {"score of 12.34549", "score of 99.9996"} <= failed(CASE)


@needs_shared
def test_what_a_case_expects_beside_the_known_quantities_is_an_error_and_so_are_weights_too_few(copy: Path) -> None:
    change(copy, "expected.safetensors", lambda tensors: {**tensors, "attention": torch.zeros(1)})
    with pytest.raises(DataError, match="expects attention"):
        handle(copy, read(copy))
    change(copy, "expected.safetensors", lambda tensors: {k: v for k, v in tensors.items() if k != "attention"})
    change_table(copy, lambda tables: tables.update(verdict="good"))
    with pytest.raises(DataError, match="expects verdict"):
        handle(copy, read(copy))
    change(copy, "weights.safetensors", lambda tensors: {k: v for k, v in tensors.items() if k != "score.bias"})
    with pytest.raises(ConfigError, match=r"1 missing \(score.bias\)"):
        handle(copy, read(copy))


@needs_shared
def test_another_question_is_refused(copy: Path) -> None:
    path = copy / "judge_prompt.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n", 1))
    with pytest.raises(ConfigError, match="Judge prompt of `case` has the sha256"):
        handle(copy, read(copy))


def test_runs_of_tokens_are_counted_by_kind() -> None:
    assert token_runs(f"a b{FAKE}{IMAGE}{IMAGE}{FAKE} {FAKE}c") == [["t", 2], ["F", 1], ["I", 2], ["F", 2], ["t", 1]]
    assert token_runs(" ") == []


@pytest.fixture
def other_case(tmp_path: Path) -> Path:
    """A folder of the same layout with other sizes, counts and tables, and no padded frames, by our own network."""
    state, frames = tiny_state(3), noise_frames(11, 44, 50)
    pixels, mask = PictureRecipe(longest=90, shortest=30)(frames)
    text = [0, *[SIZES.image_token] * 3 * 11, 5]
    network = Idefics2Regressor("other", state=state, sizes=SIZES, dtype="float32")
    logits = network(torch.tensor(text), pixels, mask)
    inputs = {"input_ids": torch.tensor([text])}
    inputs |= {f"frame_{place}": torch.from_numpy(frame) for place, frame in enumerate(frames)}
    expected = {"logits": logits[None], "pixel_values": pixels[None], "pixel_attention_mask": mask[None]}
    for name, tensors in (("weights", state), ("inputs", inputs), ("expected", expected)):
        safetensors.save_file(
            {key: value.contiguous() for key, value in tensors.items()}, tmp_path / f"{name}.safetensors"
        )
    row = {"T": 2, "image_tokens": 128, "fake_tokens": 4, "other_tokens": 0, "image_block_starts": [1, 67]}
    tables = {
        "score": round(float(logits), 3) / 100,
        "tokens_per_T": [{**row, "text_tail_runs": [["F", 1], ["I", 64], ["F", 2], ["I", 64], ["F", 1]]}],
        "rounding": [{"logit": 1.0004, "score": 0.01}],
    }
    (tmp_path / "expected.json").write_text(json.dumps(tables))
    case = {
        "config": tiny_config(),
        "preprocessing": {"size": {"longest_edge": 90, "shortest_edge": 30}},
        "tolerance": {"logits": 1e-5},
    }
    (tmp_path / "case.json").write_text(json.dumps(case))
    return tmp_path


def test_a_folder_of_other_sizes_counts_and_tables_is_compared_too(other_case: Path) -> None:
    comparisons = handle(other_case, read(other_case))
    assert len(comparisons) == 6
    assert all(comparison.passed for comparison in comparisons), [each for each in comparisons if not each.passed]
    change_table(other_case, lambda tables: tables["rounding"][0].update(score=0.010001))
    change_table(other_case, lambda tables: tables["tokens_per_T"][0].update(image_block_starts=[1, 66]))
    change(other_case, "expected.safetensors", lambda tensors: {**tensors, "logits": tensors["logits"] + 1e-4})
    assert failed(other_case) == {"logits", "tokens of 2 pictures", "score of 1.0004"}


def test_frames_are_taken_in_the_order_of_their_numbers(other_case: Path) -> None:
    names = [f"frame_{place}" for place in (2, 10)]  # as text, 10 would stand before 2

    def swapped(tensors: dict[str, Any]) -> dict[str, Any]:
        return {**tensors, names[0]: tensors[names[1]], names[1]: tensors[names[0]]}

    change(other_case, "inputs.safetensors", swapped)
    assert {"logits", "pixel_values"} <= failed(other_case)
