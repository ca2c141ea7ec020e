"""Galleries: which pictures they take, what they refuse, and that a file never passes for another."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from tiny_regressors import tiny_embedder

from anisora.harness.cli import main
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.reward.character import gallery as galleries
from anisora.reward.character.gallery import (
    PREPROCESS,
    Gallery,
    build_gallery,
    changed_crops,
    gallery_digest,
    load_gallery,
    save_gallery,
)
from anisora.reward.character.gallery_listing import crops_of_folders, crops_of_index
from anisora.reward.character.gallery_score import gallery_score
from anisora.reward.character.mask_crop import RECIPES

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.numpy")

WEIGHTS = "a" * 64
PEOPLE = {"Aoi": 2, "Ren": 1, "Yuki": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "characters"
    for seed, (name, count) in enumerate(PEOPLE.items()):
        (made / name).mkdir(parents=True)
        frames = render(Scene(action="wave", seed=seed, width=40, height=48, num_frames=count))
        for place, frame in enumerate(frames):
            suffix = "jpg" if place == 1 else "png"
            PillowImage.fromarray(frame).save(made / name / f"{place}.{suffix}")
    return made


@pytest.fixture(scope="module")
def embedder():
    return tiny_embedder()


def build(folder: Path, embedder, weights: str = WEIGHTS) -> Gallery:
    crops = crops_of_folders(folder)
    with DecoderPool() as pool:
        return build_gallery(folder, crops, embedder, reader=pool, weights=weights, side=32)


def test_the_pictures_of_each_folder_are_embedded_bicubic_one_by_one(folder, embedder) -> None:
    made = build(folder, embedder)
    assert made.identities == {"aoi": 2, "ren": 1, "yuki": 3}
    assert made.names == ("Aoi", "Aoi", "Ren", "Yuki", "Yuki", "Yuki")
    assert made.embeddings.shape == (6, 10)
    for crop, found in zip(made.crops, made.embeddings, strict=True):
        image = np.asarray(PillowImage.open(folder / crop.path).convert("RGB"))
        expected = embedder(replace(RECIPES["gallery"], side=32).picture(image))[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        bilinear = embedder(replace(RECIPES["query"], side=32).picture(image))[0].numpy()
        assert np.abs(bilinear - expected).max() > 1e-4, "the filter of crops would not be noticed"
    scored = gallery_score(made.embeddings[None, :2], made.embeddings, made.names)
    assert scored.identities == ("aoi", "ren", "yuki")


def test_a_gallery_comes_back_from_its_file(folder, embedder, tmp_path) -> None:
    made = build(folder, embedder)
    path = tmp_path / "new" / "gallery.safetensors"
    save_gallery(made, path)
    found = load_gallery(path, weights=WEIGHTS)
    assert (found.crops, found.weights, found.preprocess) == (made.crops, WEIGHTS, PREPROCESS)
    np.testing.assert_array_equal(found.embeddings, made.embeddings)
    assert found.digest == gallery_digest(crops_of_folders(folder), weights=WEIGHTS)
    assert [each.name for each in path.parent.iterdir()] == ["gallery.safetensors"]
    with pytest.raises(ConfigError, match=r"ends in \.safetensors"):
        save_gallery(made, tmp_path / "gallery.npz")


def test_pictures_names_weights_and_preprocessing_are_the_digest_and_paths_are_not(folder, embedder, tmp_path) -> None:
    crops = crops_of_folders(folder)
    digest = gallery_digest(crops, weights=WEIGHTS)
    assert gallery_digest([replace(crop, path=f"x/{crop.path}") for crop in crops], weights=WEIGHTS) == digest
    others = [
        gallery_digest(crops, weights="b" * 64),
        gallery_digest(crops, weights=WEIGHTS, preprocess="bilinear"),
        gallery_digest(crops[::-1], weights=WEIGHTS),
        gallery_digest([replace(crops[0], name="Rin"), *crops[1:]], weights=WEIGHTS),
        gallery_digest([replace(crops[0], sha256="0" * 64), *crops[1:]], weights=WEIGHTS),
        gallery_digest(crops[1:], weights=WEIGHTS),
    ]
    assert len({digest, *others}) == 7
    # The file of one name with another content: what the reference takes for the first.
    shutil.copy(folder / "Aoi" / "0.png", folder / "Ren" / "0.png")
    assert gallery_digest(crops_of_folders(folder), weights=WEIGHTS) != digest


def test_pictures_that_changed_are_named(folder, embedder) -> None:
    made = build(folder, embedder)
    assert changed_crops(made, folder) == []
    (folder / "Ren" / "0.png").unlink()
    shutil.copy(folder / "Aoi" / "0.png", folder / "Yuki" / "0.png")
    gone, other = changed_crops(made, folder)
    assert gone == "`Ren/0.png` is gone"
    assert other.startswith("`Yuki/0.png` has sha256 ")


def damage(path: Path, **facts: str) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        kept = {**file.metadata(), **facts}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    path.write_bytes(safetensors.save(tensors, metadata=kept))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"embeddings": "0"}, "its content is not that of its digests"),
        ({"weights": "c" * 64}, "its content is not that of its digests"),
        ({"crops": "[["}, "its list of pictures cannot be read"),
        ({"crops": "[]"}, "its content is not that of its digests"),
        ({"format": "other"}, "has the format 'other'; expected 'anisora-gallery-1'"),
    ],
)
def test_a_file_whose_parts_do_not_belong_together_is_refused(folder, embedder, tmp_path, facts, message) -> None:
    path = tmp_path / "gallery.safetensors"
    save_gallery(build(folder, embedder), path)
    damage(path, **facts)
    with pytest.raises(DataError, match=message):
        load_gallery(path)


def test_other_weights_another_preprocessing_and_other_files_are_refused(
    folder, embedder, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "gallery.safetensors"
    with pytest.raises(DataError, match="does not exist; build it"):
        load_gallery(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(DataError, match="is damaged or none"):
        load_gallery(path)
    path.write_bytes(safetensors.save({"embeddings": np.zeros((2, 3), np.float32)}))
    with pytest.raises(DataError, match="has the format None"):
        load_gallery(path)
    save_gallery(build(folder, embedder), path)
    with pytest.raises(DataError, match="embedded by weights aaaaaaaaaaaa; those in use are bbbbbbbbbbbb"):
        load_gallery(path, weights="b" * 64)
    monkeypatch.setattr(galleries, "PREPROCESS", "another")
    with pytest.raises(DataError, match="expected 'another'"):
        load_gallery(path)


def test_what_a_folder_must_not_hold_is_told_in_one_line(folder, embedder, tmp_path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        crops_of_folders(tmp_path / "nowhere")
    (folder / "aoi").mkdir()
    with pytest.raises(DataError, match="'Aoi' and 'aoi', which differ in case only"):
        crops_of_folders(folder)
    (folder / "aoi").rename(folder / "Mei")
    (folder / "Mei" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="has no picture of 'Mei'"):
        crops_of_folders(folder)
    (folder / "Mei").rename(folder / ".Mei")
    (folder / "readme.txt").write_text("passed over")
    assert len(crops_of_folders(folder)) == 6
    for name in ("Ren", "Yuki"):
        shutil.rmtree(folder / name)
    with pytest.raises(DataError, match=r"1 identities \(aoi\); expected two or more"):
        crops_of_folders(folder)


def test_pictures_that_cannot_be_read_are_counted_and_named(folder, embedder) -> None:
    (folder / "Aoi" / "0.png").write_bytes(b"no picture")
    (folder / "Yuki" / "2.png").write_bytes((folder / "Yuki" / "2.png").read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        build(folder, embedder)
    message = str(caught.value)
    assert "has 2 pictures that cannot be used: `Aoi/0.png` (not-a-video: " in message
    assert "`Yuki/2.png` (damaged: " in message
    assert message.endswith("Replace or remove them.")
    assert "\n" not in message


def index_of(tmp_path: Path, entries: object) -> Path:
    path = tmp_path / "gallerys.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_the_releases_index_is_read_whatever_its_paths_begin_with(folder, embedder, tmp_path) -> None:
    entries = [
        {"image": "/data/someone/characters/Aoi/0.png", "caption": "Totoro"},
        {"image": "Ren/0.png", "caption": "mei"},
        {"image": "./Yuki/1.jpg", "caption": "totoro"},
    ]
    crops = crops_of_index(folder, index_of(tmp_path, entries))
    assert [(crop.path, crop.name) for crop in crops] == [
        ("Aoi/0.png", "Totoro"),
        ("Ren/0.png", "mei"),
        ("Yuki/1.jpg", "totoro"),
    ]
    with DecoderPool() as pool:
        made = build_gallery(folder, crops, embedder, reader=pool, weights=WEIGHTS, side=32)
    assert made.identities == {"totoro": 2, "mei": 1}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"image": "a"}, "holds a dict; expected a JSON list"),
        ([{"image": "Aoi/0.png"}], "entry 0 .*expected"),
        ([{"image": "Aoi/0.png", "caption": " "}], "entry 0 "),
        ([{"image": "Aoi/0.png", "caption": "a"}, 3], "entry 1 '3'"),
        ([{"image": "Aoi/0.png", "caption": "a"}], "1 identities"),
        ([], "0 identities"),
        (
            [{"image": "Aoi/0.png", "caption": "a"}, {"image": "gone.png", "caption": "b"}],
            "lacks 1 of the 2 pictures of .*'gone.png'; unpack",
        ),
        ([{"image": "Aoi/0.png", "caption": "a"}, {"image": "../Aoi/0.png", "caption": "b"}], "lacks 1 of the 2"),
    ],
)
def test_an_index_with_other_entries_is_refused(folder, tmp_path, entries, message) -> None:
    with pytest.raises(DataError, match=message):
        crops_of_index(folder, index_of(tmp_path, entries))


def test_an_index_that_is_no_json_is_refused(folder, tmp_path) -> None:
    path = tmp_path / "gallerys.json"
    path.write_text("no json")
    with pytest.raises(DataError, match="cannot be read"):
        crops_of_index(folder, path)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    """The command with a tiny embedder, which counts how often it is made."""
    made: list[int] = []

    def make():
        made.append(1)
        return tiny_embedder()

    from anisora.reward.networks import identity_embedder

    monkeypatch.setattr(identity_embedder, "IdentityEmbedder", make)
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    return made


def test_the_commands_build_once_show_and_check(folder, untrained, tmp_path, capsys) -> None:
    assert run("reward", "gallery", "build", folder, "--dry-run") == 0
    assert "3 identities, 6 pictures to embed" in capsys.readouterr().out
    assert run("reward", "gallery", "build", folder) == 0
    (path,) = (tmp_path / "cache" / "galleries").iterdir()
    assert capsys.readouterr().out == f"{path}: 3 identities, 6 pictures\n"
    assert run("reward", "gallery", "build", folder) == 0
    assert capsys.readouterr().out.endswith("6 pictures, built already\n")
    assert len(untrained) == 1
    assert run("reward", "gallery", "show", path) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == ["   2  aoi", "   1  ren", "   3  yuki"]
    assert run("reward", "gallery", "show", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["identities"] == {"aoi": 2, "ren": 1, "yuki": 3}
    assert run("reward", "gallery", "check", path, folder) == 0
    assert "of the weights in use; 0 of 6 pictures changed" in capsys.readouterr().out
    (folder / "Ren" / "0.png").unlink()
    assert run("reward", "gallery", "check", path, folder) == 1
    assert "`Ren/0.png` is gone" in capsys.readouterr().out


def test_pictures_that_moved_are_found_at_their_new_places(folder, untrained, capsys) -> None:
    assert run("reward", "gallery", "build", folder) == 0
    (folder / "Aoi" / "0.png").rename(folder / "Aoi" / "00.png")
    assert run("reward", "gallery", "build", folder) == 0
    assert "built already" in capsys.readouterr().out
    (path,) = (folder.parent / "cache" / "galleries").iterdir()
    assert changed_crops(load_gallery(path), folder) == []
    assert len(untrained) == 1


def test_other_weights_build_another_gallery_and_do_not_pass_the_check(
    folder, untrained, monkeypatch, tmp_path, capsys
) -> None:
    out = tmp_path / "mine.safetensors"
    assert run("reward", "gallery", "build", folder, "--out", out) == 0
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")
    assert run("reward", "gallery", "check", out) == 2
    assert "Build it again" in capsys.readouterr().err
    assert run("reward", "gallery", "build", folder, "--out", out) == 0
    assert len(untrained) == 2
    assert run("reward", "gallery", "check", out) == 0


def test_a_file_that_is_no_gallery_is_not_overwritten(folder, untrained, tmp_path, capsys) -> None:
    out = tmp_path / "network.safetensors"
    content = safetensors.save({"a": np.zeros(2, np.float32)})
    out.write_bytes(content)
    assert run("reward", "gallery", "build", folder, "--out", out) == 2
    assert "`--out` names a file that is no gallery" in capsys.readouterr().err
    assert out.read_bytes() == content
    assert untrained == []


def test_without_weights_the_command_says_which_and_check_goes_on(folder, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    assert run("reward", "gallery", "build", folder) == 2
    assert "identity-embedder: reward/character/IP_checkpoints" in capsys.readouterr().err
    assert run("reward", "gallery", "build", folder, "--embedder", tmp_path / "nowhere") == 2
    assert "`--embedder` got" in capsys.readouterr().err
    path = tmp_path / "gallery.safetensors"
    crops = tuple(crops_of_folders(folder))
    save_gallery(
        Gallery(crops=crops, embeddings=np.zeros((6, 4), np.float32), weights="0", preprocess=PREPROCESS), path
    )
    assert run("reward", "gallery", "check", path) == 0
    assert "weights are not here to compare; pictures not looked at" in capsys.readouterr().out
