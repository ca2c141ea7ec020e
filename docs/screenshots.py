"""Takes the pictures of the documentation from a real report of the demo, in a real browser and by a real TeX.

    anisora demo
    python docs/screenshots.py runs/demo

Needs Chromium (``apt install chromium fonts-noto-cjk``), the package playwright, which the extra ``test`` brings, and
TeX (``apt install texlive-latex-recommended texlive-fonts-recommended texlive-xetex poppler-utils``).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from anisora.leaderboards.demo import SUITE
from anisora.leaderboards.demo_report import published_section
from anisora.leaderboards.report.data import gather
from anisora.leaderboards.report.paper.figures import figures_of_paper
from anisora.leaderboards.report.paper.write import write_paper
from anisora.leaderboards.report.paper_figures.figure_file import save_drawing
from anisora.leaderboards.report.paper_figures.save import paper_figures
from anisora.leaderboards.report.write import write_report
from anisora.leaderboards.site.write import write_site
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.words import Words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES: Final = Path(__file__).resolve().parent / "images"
FIGURES: Final = ("radar", "critical-difference", "heat-map")
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
ENGINES: Final = {"en": "pdflatex", "zh": "xelatex"}
"""What compiles a paper in each language."""
PAGER: Final = "pdftoppm"

_DESKTOP, _PHONE = (1280, 1040), (390, 844)
_PHOTOGRAPH = 960  # pixels across
_PAGES, _DOTS = 2, 80  # of a paper, an inch
_COLOURS = 112
_LARGEST = 98_000  # bytes, of a file in the repository


def browser_program() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def save(picture: bytes, name: str) -> None:
    """Write a PNG with a palette, of as few colours as keep it small enough for the repository."""
    colours = _COLOURS
    image = Image.open(BytesIO(picture)).convert("RGB")
    while True:
        packed = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
        if packed.tell() <= _LARGEST or colours < 8:
            break
        colours = colours * 3 // 4
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / name).write_bytes(packed.getvalue())
    sys.stdout.write(f"{IMAGES / name}: {packed.tell()} bytes, {colours} colours\n")


def save_photograph(picture: bytes, name: str) -> None:
    """Write a JPEG, for what has more colours than a palette holds."""
    quality = 88
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.thumbnail((_PHOTOGRAPH, image.height), Image.Resampling.LANCZOS)
    while True:
        packed = BytesIO()
        image.save(packed, "JPEG", quality=quality, optimize=True)
        if packed.tell() <= _LARGEST or quality < 30:
            break
        quality -= 4
    (IMAGES / name).write_bytes(packed.getvalue())
    sys.stdout.write(f"{IMAGES / name}: {packed.tell()} bytes, quality {quality}\n")


def opened(browser: "Browser", page: Path, size: tuple[int, int]) -> "Page":
    """Open a report in a window of ``size`` (width, height) pixels."""
    window = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
    window.goto(page.resolve().as_uri())
    window.wait_for_load_state("load")
    return window


def report_in(language: str, runs: Path, out: Path) -> Path:
    """Write the demo's report in a language."""
    database = runs / "leaderboard.duckdb"
    data = gather(Leaderboard.open(database), SUITE, language=language)
    return write_report(data, out, language=language, extras=[published_section(Words(language))], workers=2)


def pages_of_paper(language: str, runs: Path, out: Path) -> bytes:
    """Compile the demo's paper and return its first pages, side by side, as PNG."""
    data = gather(Leaderboard.open(runs / "leaderboard.duckdb"), SUITE, language=language)
    figures = figures_of_paper(data, out, language=language, workers=2, told=sys.stderr.write)
    paper = write_paper(data, out, language=language, figures=figures)
    engine = [ENGINES[language], "-halt-on-error", "-no-shell-escape", "-interaction=batchmode", paper.name]
    pager = [PAGER, "-png", "-r", str(_DOTS), "-l", str(_PAGES), paper.with_suffix(".pdf").name, "page"]
    for command in (engine, engine, pager):  # the second run knows the references
        subprocess.run(command, cwd=out, check=True, stdout=subprocess.DEVNULL)
    pages = [Image.open(path) for path in sorted(out.glob("page-*.png"))]
    sheet = Image.new("RGB", (sum(page.width for page in pages), pages[0].height), "white")
    for place, page in enumerate(pages):
        sheet.paste(page, (place * page.width, 0))
    packed = BytesIO()
    sheet.save(packed, "PNG")
    return packed.getvalue()


def save_figures_of_a_paper(runs: Path, folder: Path) -> None:
    """Draw the figures of docs/figures.md."""
    made = paper_figures(gather(Leaderboard.open(runs / "leaderboard.duckdb"), SUITE, examples=0))
    for name, drawing in made.drawings:
        if name in FIGURES:
            picture = next(path for path in save_drawing(drawing, folder, name) if path.suffix == ".png")
            save(picture.read_bytes(), f"figure-{name}.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="where `anisora demo` wrote its runs, such as runs/demo")
    runs: Path = parser.parse_args(arguments).runs
    program = browser_program()
    if program is None:
        sys.stderr.write(f"None of {', '.join(PROGRAMS)} is installed; run: apt install chromium fonts-noto-cjk\n")
        return 2
    absent = [name for name in (*ENGINES.values(), PAGER) if shutil.which(name) is None]
    if absent:
        sys.stderr.write(f"{', '.join(absent)} is not installed; run: apt install texlive-xetex poppler-utils\n")
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        save_figures_of_a_paper(runs, Path(folder))
        english, chinese = (report_in(language, runs, Path(folder) / language) for language in ("en", "zh"))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        window = opened(browser, english, _DESKTOP)
        save(window.screenshot(), "report-desktop.png")
        save(window.locator("#matrix").screenshot(), "report-matrix.png")
        save_photograph(window.locator("article.example").nth(1).screenshot(), "report-players.jpg")
        save_photograph(window.locator("#sheet").screenshot(), "demo-clips.jpg")
        save(opened(browser, english, _PHONE).screenshot(), "report-phone.png")
        save(opened(browser, chinese, _DESKTOP).screenshot(), "report-chinese.png")
        site = write_site(Leaderboard.open(runs / "leaderboard.duckdb"), Path(folder) / "site")
        window = opened(browser, site, _DESKTOP)
        window.locator("main a").first.click()
        window.wait_for_load_state("load")
        save(window.screenshot(), "site.png")
        browser.close()
        for language in ENGINES:
            save(pages_of_paper(language, runs, Path(folder) / f"paper-{language}"), f"paper-{language}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
