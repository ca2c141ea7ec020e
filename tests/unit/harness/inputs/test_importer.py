from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.inputs.importer import build_manifest, import_suite
from anisora.harness.inputs.videos import match_videos
from anisora.harness.suite import load_samples, load_suite


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a-2.mp4", "a-10.MP4", "a-2.png", "a-10.JPG", "other.png", "notes.md"):
        (folder / name).write_bytes(name.encode())
    (folder / "a-2.txt").write_bytes("\ufeff她微笑\n".encode())
    return folder


def test_a_folder_becomes_rows_with_the_images_and_prompts_beside_the_videos(clips):
    first, second = build_manifest(clips)
    assert (first.id, first.ground_truth, first.video, first.prompt) == (
        "a-2",
        clips / "a-2.mp4",
        None,
        "她微笑",
    )
    assert first.keyframes == ((0.0, clips / "a-2.png"),)
    assert (second.id, second.prompt, second.keyframes) == ("a-10", None, ((0.0, clips / "a-10.JPG"),))


def test_videos_of_a_system_become_the_video_column(clips):
    rows = build_manifest(clips, role="video")
    assert [(row.video, row.ground_truth) for row in rows] == [
        (clips / "a-2.mp4", None),
        (clips / "a-10.MP4", None),
    ]


def test_an_imported_suite_loads_and_matches_the_folder_it_came_from(clips, tmp_path):
    suite_path, manifest_path = import_suite(clips, "mine", tmp_path / "suites", metrics=["psnr", "condition_fidelity"])
    assert manifest_path.read_text(encoding="utf-8").count("\n") == 2
    suite = load_suite(str(suite_path))
    samples = load_samples(suite)
    assert suite.metrics == ("psnr", "condition_fidelity")
    assert [sample.prompt for sample in samples] == ["她微笑", None]
    assert len(match_videos(samples, suite.seeds, clips).clips) == 2


def test_columns_default_to_the_core_metrics_whose_needs_are_met(clips, tmp_path):
    with_truth = load_suite(str(import_suite(clips, "truth", tmp_path / "s")[0]))
    without = load_suite(str(import_suite(clips, "clips", tmp_path / "s", role="video")[0]))
    assert set(with_truth.metrics) - set(without.metrics) >= {"psnr", "ssim"}
    assert {"condition_fidelity", "temporal_flickering"} <= set(without.metrics)
    assert (with_truth.reference, without.reference) == ("ground-truth", None)


def test_an_import_never_overwrites_and_leaves_nothing_behind_when_refused(clips, tmp_path):
    out = tmp_path / "s"
    with pytest.raises(ConfigError, match=r"`--name` got 'Mine'; expected small letters, digits and hyphens"):
        import_suite(clips, "Mine", out, metrics=["psnr"])
    with pytest.raises(UnknownNameError, match=r"Metric 'psnrr' is not known\. Did you mean 'psnr'"):
        import_suite(clips, "mine", out, metrics=["psnrr"])
    assert not out.exists()
    import_suite(clips, "mine", out, metrics=["psnr"])
    with pytest.raises(ConfigError, match=r"mine\.yaml` is there already; expected a new file"):
        import_suite(clips, "mine", out, metrics=["psnr"])


def test_a_folder_that_cannot_be_imported_is_named(clips, tmp_path):
    with pytest.raises(
        DataError, match=r"`.*/clisp` does not exist; expected a folder of videos; did you mean `.*/clips`"
    ):
        build_manifest(tmp_path / "clisp")
    (clips / "a-2.webp").write_bytes(b"")
    with pytest.raises(DataError, match=r"two images for item 'a-2': 'a-2\.png' and 'a-2\.webp'"):
        build_manifest(clips)
    (clips / "a-2.webp").unlink()
    (clips / "a-2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"a-2\.txt` is not text in UTF-8; expected a prompt"):
        build_manifest(clips)
    (clips / "a-2.txt").write_bytes(b"x" * 100_001)
    with pytest.raises(DataError, match=r"a-2\.txt` has 100001 bytes; expected a prompt of at most 100000"):
        build_manifest(clips)
    (clips / "a-2.gif").write_bytes(b"")
    (clips / "a-2.txt").unlink()
    with pytest.raises(DataError, match=r"two videos for item 'a-2'; expected one"):
        build_manifest(clips)
