import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from shared_data import REPOSITORY
from source_tree import FOLDERS, copy_source_tree, source_files

import anisora

HEAVY = (
    "torch",
    "torchvision",
    "pandas",
    "matplotlib",
    "cv2",
    "pyarrow",
    "duckdb",
    "av",
    "decord",
    "scipy",
    "mlflow",
)


def run_python(code: str, cwd: Path = REPOSITORY) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_after(statement: str, cwd: Path) -> str:
    return run_python(f"import sys\n{statement}\nprint([name for name in {HEAVY!r} if name in sys.modules])", cwd)


def test_the_top_level_folders_have_no_init() -> None:
    # With one, `import datasets` at the repository root would find ours instead of Hugging Face's.
    for folder in FOLDERS:
        assert (REPOSITORY / folder).is_dir()
        assert not (REPOSITORY / folder / "__init__.py").exists()


def test_every_folder_is_linked_into_the_package() -> None:
    package = REPOSITORY / "src" / "anisora"
    links = {path.name: path for path in package.iterdir() if path.is_symlink()}
    assert set(links) == set(FOLDERS)
    for name, link in links.items():
        assert link.readlink() == Path("../..") / name
        assert link.resolve() == REPOSITORY / name


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_after("import anisora", tmp_path) == "[]"


@pytest.mark.skipif(find_spec("anisora.harness.cli") is None, reason="there is no command line yet")
def test_the_help_loads_nothing_heavy(tmp_path: Path) -> None:
    statement = """
import contextlib, io
from anisora.harness.cli import main
sys.argv = ["anisora", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "Usage" in shown.getvalue(), shown.getvalue()
"""
    assert loaded_after(statement, tmp_path) == "[]"


def test_public_names_are_lazy_and_listed() -> None:
    assert dir(anisora) == sorted(anisora.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        anisora.evaluat  # noqa: B018


@pytest.mark.parametrize("first", ["import anisora.reward.catalog", "import anisora; anisora.reward", "import anisora"])
def test_the_public_reward_is_callable_whatever_was_imported_first(first: str, tmp_path: Path) -> None:
    code = f"""
{first}
import anisora
from anisora import reward
import anisora.reward.catalog as catalog
assert reward is anisora.reward
try:
    reward("no-such-reward")
except Exception as error:
    print(type(error).__name__, bool(catalog.CATALOG))
"""
    assert run_python(code, tmp_path) == "UnknownNameError True"


def test_datasets_at_the_root_is_hugging_faces_or_no_code_at_all() -> None:
    code = """
try:
    import datasets
except ModuleNotFoundError:
    print("absent")
else:
    print("hugging face" if hasattr(datasets, "Dataset") else f"{datasets.__file__}")
"""
    assert run_python(code) in ("absent", "hugging face", "None")


def test_no_cuda_package_is_installed_beside_a_cpu_build_of_torch() -> None:
    torch = pytest.importorskip("torch")
    if torch.version.cuda is not None:
        pytest.skip("this torch is a CUDA build")
    names = {(each.metadata["Name"] or "").lower() for each in distributions()}
    assert [name for name in sorted(names) if name.startswith(("nvidia-", "cuda-", "triton"))] == []


TORCHVISION = """
import torch
@torch.library.register_fake("torchvision::nms")
def meta_nms(dets, scores, iou_threshold):
    return dets
@torch.library.register_fake("torchvision::qnms")
def meta_qnms(dets, scores, iou_threshold):
    return dets
"""


@pytest.fixture
def foreign_torchvision(tmp_path: Path) -> Path:
    """A package that starts as torchvision does, with an extension that this torch cannot load."""
    pytest.importorskip("torch")
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").write_text(TORCHVISION)
    (folder / "_C.so").write_bytes(b"compiled for another torch")
    return tmp_path


@pytest.mark.slow
def test_torchvision_imports_beside_a_torch_that_its_operators_do_not_fit(foreign_torchvision: Path) -> None:
    path = f"import sys; sys.path.insert(0, {str(foreign_torchvision)!r})\n"
    command = [sys.executable, "-c", f"{path}import torchvision"]
    broken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "operator torchvision::nms does not exist" in broken.stderr
    code = path + "import anisora; print('torch' in sys.modules); import torchvision; print(torchvision.__file__)"
    assert run_python(code).split() == ["False", str(foreign_torchvision / "torchvision" / "__init__.py")]


def test_looking_for_a_torchvision_that_is_not_there_finds_nothing(tmp_path: Path) -> None:
    code = """
import sys
import anisora
sys.path[:] = [entry for entry in sys.path if "-packages" not in entry]
from importlib.util import find_spec
print(find_spec("torchvision"), "torch" in sys.modules)
"""
    assert run_python(code, tmp_path) == "None False"


def test_the_newest_version_of_the_changelog_is_the_packages() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == anisora.__version__


def test_every_folder_with_a_catalog_is_an_entry_point() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["anisora"]
    catalogs = {folder for folder in FOLDERS if (REPOSITORY / folder / "catalog.py").is_file()}
    assert points == {folder: f"anisora.{folder}.catalog" for folder in catalogs}


def test_texts_name_no_unfinished_work_and_no_foreign_paths() -> None:
    words = ["/wo" + "rk/", "TO" + "DO", "FIX" + "ME", "XX" + "X:"]
    found = []
    for path in source_files():
        full = REPOSITORY / path
        if full.is_symlink() or not full.is_file():
            continue
        try:
            text = full.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {word}" for word in words if word in text]
    assert found == []


@pytest.mark.slow
def test_the_wheel_has_real_files_and_the_data_beside_them(tmp_path: Path) -> None:
    pytest.importorskip("build")
    pytest.importorskip("setuptools")
    import zipfile

    root = copy_source_tree(tmp_path / "tree")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--skip-dependency-check",
        "-o",
        "dist",
        ".",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = (root / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.getinfo(name) for name in archive.namelist()}
    expected = {
        Path("anisora") / path
        for path in source_files()
        if path.parts[0] in FOLDERS and path.suffix in (".py", ".yaml", ".sql", ".json", ".j2", ".css", ".js")
    } | {Path("anisora/__init__.py"), Path("anisora/py.typed")}
    inside = {Path(name) for name in packed if name.startswith("anisora/")}
    assert inside == expected
    is_link = [name for name, info in packed.items() if (info.external_attr >> 16) & 0o170000 == 0o120000]
    assert is_link == []
    assert all(info.file_size > 0 for name, info in packed.items() if name.endswith(".yaml"))
