"""From a run to the pages of a board, by the command line: bundle, add, withdraw, site."""

import json
import zipfile
from pathlib import Path

import pytest
from report_suite import SYSTEMS, score_suite
from small_suite import anisora

from anisora.leaderboards.store import Leaderboard

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``runs`` of a ground truth and two damages, and their leaderboard."""
    return score_suite(tmp_path_factory.mktemp("scored"), num_frames=4).parent


@pytest.fixture
def bundles(scored: Path, tmp_path: Path) -> list[Path]:
    """The bundle of each run, in a folder that has nothing else."""
    for run in sorted((scored / "runs").iterdir()):
        done = anisora(["leaderboard", "bundle", run], cwd=tmp_path, check=True)
        assert done.stdout == f"{run.name}.anisora.zip\n"
        assert done.stderr.endswith(f"add it to a board with: anisora leaderboard add {run.name}.anisora.zip\n")
    return sorted(tmp_path.glob("*.anisora.zip"))


def test_runs_travel_to_a_public_board_and_its_pages(scored: Path, bundles: list[Path], tmp_path: Path) -> None:
    assert len(bundles) == 1 + len(SYSTEMS)
    for bundle in bundles:
        done = anisora(["leaderboard", "add", bundle.name, "--db", "public.duckdb"], cwd=tmp_path, check=True)
        assert "to public.duckdb as reported: 24 rows agree with 3 results." in done.stdout
        again = anisora(["leaderboard", "add", bundle.name, "--db", "public.duckdb"], cwd=tmp_path, check=True)
        assert "is in public.duckdb already, with the same content; nothing was changed." in again.stdout
    with Leaderboard.open(scored / "leaderboard.duckdb") as own, Leaderboard.open(tmp_path / "public.duckdb") as public:
        assert [record.results for record in public.runs()] == [record.results for record in own.runs()]
        assert {known.status for known in public.submissions().values()} == {"reported"}
        gone = public.find("small@1", SYSTEMS[0]).run_id
    told = anisora(
        ["leaderboard", "withdraw", gone, "--reason", "a mistake", "--db", "public.duckdb"], cwd=tmp_path, check=True
    )
    assert told.stdout == f"{gone} is withdrawn from public.duckdb: a mistake\n"
    shown = anisora(["leaderboard", "show", "small", "--db", "public.duckdb"], cwd=tmp_path, check=True).stdout
    assert SYSTEMS[0] not in shown
    assert "1 run that was withdrawn not shown." in shown
    for language in ("en", "zh"):
        arguments = ["leaderboard", "site", "--db", "public.duckdb", "--out", "site", "--lang", language]
        done = anisora(arguments, cwd=tmp_path, check=True)
        assert done.stdout == "The site is site/index.html. Publish the folder site as it is.\n"
        page = next((tmp_path / "site" / "suites").glob("*.html")).read_text(encoding="utf-8")
        assert "a mistake" in page
        assert str(scored) not in page
    assert len(list((tmp_path / "site" / "runs").iterdir())) == 3


def test_a_bundle_names_no_place_of_the_machine_it_was_made_on(scored: Path, bundles: list[Path]) -> None:
    for bundle in bundles:
        with zipfile.ZipFile(bundle) as archive:
            for name in archive.namelist():
                assert str(scored).encode() not in archive.read(name), f"{bundle.name}: {name}"


def test_a_forged_row_is_refused_in_one_line_and_changes_nothing(bundles: list[Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(bundles[0]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(members["record.json"])
    record["results"][0]["value"] += 0.001
    members["record.json"] = json.dumps(record).encode()
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    done = anisora(["leaderboard", "add", "forged.zip", "--db", "public.duckdb"], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("anisora: Bundle `forged.zip`: member `record.json` has sha256 ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "public.duckdb").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["add", "nothing.zip"], 2, "Bundle `nothing.zip` cannot be read: No such file or directory"),
        (["bundle", "nothing"], 2, "`nothing` does not exist"),
        (["add", "nothing.zip", "--status", "verified"], 2, "`--status verified` needs a `--note`"),
        (["add", "nothing.zip", "--status", "best"], 2, "Invalid value for '--status'"),
        (["withdraw", "nothing", "--reason", "x"], 2, "Leaderboard `leaderboard.duckdb` does not exist"),
        (["withdraw", "nothing"], 2, "Missing option '--reason'"),
        (["site", "--out", "site"], 2, "Leaderboard `leaderboard.duckdb` does not exist"),
        (["site"], 2, "Missing option '--out'"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    done = anisora(["leaderboard", *arguments], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
