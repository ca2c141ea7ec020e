"""Writes the parts of the documentation that the program itself knows best.

    python docs/generate.py                     rewrite help texts and tables of names, begin pages of new metrics
    python docs/generate.py --check             say what is out of date, and change nothing
    python docs/generate.py --demo runs/demo    also the demo's table in both READMEs, from a run of `anisora demo`

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import click

from anisora.harness.registry import registry

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh.md")

_BLOCK = re.compile(r"<!-- generated: (?P<name>[^>]+) -->\n(?P<body>.*?)<!-- end: (?P=name) -->", re.DOTALL)
_WIDTH = 100
_DEMO = "demo table"

Generator = Callable[[str], str]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield (words, command, context) of every command and sub-command, in the order of the help."""
    from anisora.harness.cli import cli

    top = click.Context(
        cli, info_name="anisora", terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    yield from _below("", cli, top)


def _below(
    words: str, command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield words, command, context
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from _below(f"{words} {name}".strip(), child, click.Context(child, info_name=name, parent=context))


def help_text(words: str) -> str:
    """Return what ``anisora WORDS --help`` prints, a hundred columns wide."""
    for found, command, context in commands():
        if found == words:
            return f"```text\n{command.get_help(context)}\n```\n"
    raise KeyError(f"anisora {words}")


def metric_table(_: str) -> str:
    """Return all metrics with what they need and where their pages are."""
    arrows = {"higher": "higher is better", "lower": "lower is better", "reference": "closest to the ground truth"}
    rows = []
    for name in registry("metrics").names():
        info = registry("metrics").create(name).info
        needs = ", ".join(sorted(info.needs)) or "-"
        rows.append([f"[`{name}`](metrics/{name}.md)", info.version, arrows[info.direction], needs, info.licence])
    return table(["metric", "version", "direction", "needs", "licence"], rows)


def extractor_table(_: str) -> str:
    """Return all extractors with the metrics that ask for them."""
    users: dict[str, list[str]] = {}
    for name in registry("metrics").names():
        for request in registry("metrics").create(name).info.requests:
            users.setdefault(request.extractor, []).append(f"`{name}`")
    rows = []
    for name in registry("extractors").names():
        info = registry("extractors").create(name).info
        window = (
            f"{info.window} frames" if info.window and info.window > 1 else "1 frame" if info.window else "the clip"
        )
        rows.append([f"`{name}`", info.version, window, info.summary, ", ".join(users.get(name, ["-"]))])
    return table(["extractor", "version", "sees at once", "gives", "used by"], rows)


def model_table(_: str) -> str:
    """Return all models."""
    rows = []
    for name in registry("models").names():
        info = registry("models").create(name).info
        rows.append([f"`{name}`", info.summary, info.licence])
    return table(["model", "what it is", "licence of its clips"], rows)


def system_table(_: str) -> str:
    """Return the systems that are not run here, with how their clips are had."""
    rows = []
    for name in registry("models").names():
        info = registry("models").create(name).info
        if (system := info.system) is not None:
            fps = "-" if system.fps is None else f"{system.fps:g}"
            sources = ", ".join(f"[{place}]({source})" for place, source in enumerate(system.sources, 1))
            made = f"{system.title}, {system.organisation}"
            rows.append([f"`{name}`", made, info.licence, system.access, system.size or "-", system.frames or "-", fps])
            rows[-1] += [system.prompt or "-", f"`{system.published}`", f"{sources}; {system.accessed}"]
    header = ["model", "what it is", "licence or terms", "clips from", "size", "frames", "a second", "longest prompt"]
    return table([*header, "published row", "source; accessed"], rows)


def suite_table(_: str) -> str:
    """Return all suites with links to their pages."""
    from anisora.harness.suite import load_suite

    rows = []
    for name in registry("suites").names():
        suite = load_suite(name)
        rows.append([f"[`{name}`](suites/{name}.md)", suite.version, len(suite.columns), suite.summary])
    return table(["suite", "version", "columns", "what it holds"], rows)


def limit_table(_: str) -> str:
    """Return the limits of a decoder process."""
    from anisora.harness.media.decoder import DecodeLimits

    limits = DecodeLimits()
    return table(["limit", "default"], [[f"`{field.name}`", getattr(limits, field.name)] for field in fields(limits)])


def demo_table(runs: Path) -> str:
    """Return the demo's leaderboard as Markdown, without its title."""
    from anisora.harness.suite import load_suite
    from anisora.leaderboards.render import render
    from anisora.leaderboards.store import Leaderboard

    with Leaderboard.open(runs / "leaderboard.duckdb") as board:
        text = render(board.build_table(board.suite_key("demo"), load_suite("demo").columns), "markdown")
    return text.partition("\n\n")[2]


def first_page(name: str) -> str:
    """Write the page a metric begins with: its facts and what its docstrings say."""
    metric = registry("metrics").create(name)
    info, module = metric.info, sys.modules[type(metric).__module__]
    facts = {
        "title": info.title,
        "group": info.group,
        "version": info.version,
        "direction": info.direction,
        "range": " to ".join(format(bound, "g") for bound in info.value_range),
        "unit": info.unit or "none",
        "needs": ", ".join(sorted(info.needs)) or "nothing but the clip",
        "extractor": ", ".join(f"`{request.extractor}`" for request in info.requests),
        "source": info.source,
    }
    formulas = [getattr(module, public) for public in module.__all__ if inspect.isfunction(getattr(module, public))]
    lacking = [f"* Items without: {', '.join(sorted(info.needs))}."] if info.needs else []
    if info.min_frames > 1:
        lacking.append(f"* Clips of fewer than {info.min_frames} frames.")
    sections = {
        "What it measures": inspect.getdoc(type(metric)) or "",
        "Formula": "\n\n".join(f"`{formula.__name__}`: {inspect.getdoc(formula)}" for formula in formulas),
        "Left unscored": "\n".join(lacking) or "Nothing that can be decoded.",
        "Known limits": "None have been looked for yet.",
    }
    body = "\n\n".join(f"## {title}\n{text}" for title, text in sections.items())
    return f"# {name}\n\n{table(['fact', 'value'], list(facts.items()))}\n{body}\n"


def new_pages() -> dict[Path, str]:
    """Return {path: text} of the metrics that have no page."""
    paths = {name: DOCS / "metrics" / f"{name}.md" for name in registry("metrics").names()}
    return {path: first_page(name) for name, path in paths.items() if not path.is_file()}


GENERATORS: Mapping[str, Generator] = {
    "help": help_text,
    "metrics": metric_table,
    "extractors": extractor_table,
    "models": model_table,
    "systems": system_table,
    "suites": suite_table,
    "limits": limit_table,
}


def pages() -> list[Path]:
    """Return every Markdown file of the documentation."""
    return [*(path for path in READMES if path.is_file()), *sorted(DOCS.rglob("*.md"))]


def regenerated(text: str, *, demo: str | None = None) -> str:
    """Return a page with its generated parts made anew."""

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name == _DEMO:
            body = match["body"] if demo is None else demo
        else:
            kind, _, argument = name.partition(" ")
            body = GENERATORS[kind](argument)
        return f"<!-- generated: {name} -->\n{body}<!-- end: {name} -->"

    return _BLOCK.sub(replace, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is out of date")
    parser.add_argument("--demo", type=Path, metavar="DIR", help="where `anisora demo` wrote its runs")
    options = parser.parse_args(arguments)
    demo = None if options.demo is None else demo_table(options.demo)
    stale = []
    for page, text in new_pages().items():
        stale.append(page.relative_to(ROOT))
        if not options.check:
            page.write_text(text, encoding="utf-8")
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = regenerated(before, demo=demo)
        if after != before:
            stale.append(page.relative_to(ROOT))
            if not options.check:
                page.write_text(after, encoding="utf-8")
    verb = "is out of date" if options.check else "is rewritten"
    for path in stale:
        sys.stdout.write(f"{path} {verb}\n")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
