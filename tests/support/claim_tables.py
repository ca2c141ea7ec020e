"""Tables as authors print them, drawn with a seed, right or with one planted error, in each format."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from records import make_record
from scored_systems import TRUTH

from anisora.harness.suite import Column
from anisora.leaderboards.claims.expected import ExpectedTable
from anisora.leaderboards.claims.sources import expected_of_leaderboard, expected_of_published
from anisora.leaderboards.published.tables import published_tables
from anisora.leaderboards.table import build_table

__all__ = ["ERRORS", "WRITERS", "Drawn", "PrintedTable", "draw", "planted"]

ERRORS = ("number", "bold", "doubled-row", "order")
_DASHES = ("-", "\N{NON-BREAKING HYPHEN}", "\N{HYPHEN}", "\N{EN DASH}", " ")


@dataclass
class PrintedTable:
    """Cells as text, which of them are bold, and a caption."""

    header: list[str]
    rows: list[list[str]]
    bold: set[tuple[int, int]]
    """(row, column) of bold cells."""
    caption: str = ""


@dataclass
class Drawn:
    """A printed table with what is true of it."""

    printed: PrintedTable
    known: list[ExpectedTable]
    models: list[str]
    apart: list[bool]
    decimals: list[int]
    """Of each column, the first of which is the name's."""
    merits: list[list[float | None]]
    """[row][column] at the precision of print, greater is better."""
    sorted_by: int | None = None
    planted_at: list[tuple[str, str, str]] = field(default_factory=list)
    """(kind, name of the row, heading) of which one must be found."""


@dataclass(frozen=True)
class _Source:
    """A suite: (metric, headings, decimals, direction) of columns, (model, names, apart, texts) of rows."""

    known: ExpectedTable
    columns: tuple[tuple[tuple[str, ...], int, str], ...]
    rows: tuple[tuple[str, tuple[str, ...], bool, tuple[str, ...]], ...]


@cache
def _published_sources() -> tuple[_Source, ...]:
    return tuple(
        _Source(
            expected_of_published(table),
            tuple((((it.header, it.header_zh, it.metric)), it.decimals, it.direction) for it in table.columns),
            tuple(
                (
                    row.model,
                    (row.model, row.printed.replace("**", "")),
                    row.reference,
                    tuple(map(row.text, range(size))),
                )
                for row in table.rows
            ),
        )
        for table in published_tables()
        for size in [len(table.columns)]
    )


@cache
def _own_source(seed: int) -> _Source:
    """Runs with values at least 0.02 apart or equal, so that intervals of +-0.01 say nothing against them."""
    generator = random.Random(seed)
    count = generator.randint(2, 7)
    directions = {"sharpness": "higher", "flicker": "lower", "flow": "reference", "ssim": "higher"}
    metrics = generator.sample(sorted(directions), generator.randint(1, 4))
    models = [f"model-{generator.randint(0, 99):02}_v{at}.{generator.randint(0, 9)}" for at in range(count)] + [TRUTH]
    values: dict[str, list[float]] = {}
    for metric in metrics:
        spread = [0.03 * place + generator.uniform(0, 0.009) for place in generator.sample(range(1, 30), count + 1)]
        if generator.random() < 0.3:
            spread[0] = spread[1]
        values[metric] = spread
    records = [
        make_record(model, {metric: values[metric][at] for metric in metrics}, reference=model == TRUTH)
        for at, model in enumerate(models)
    ]
    columns = [
        Column(metric=metric, header=metric.title(), scale=generator.choice([1, 100]), decimals=generator.randint(2, 4))
        for metric in metrics
    ]
    table = build_table(records, columns, models=models)
    return _Source(
        expected_of_leaderboard(table),
        tuple(((it.header, it.metric), it.decimals, str(it.direction)) for it in table.columns),
        tuple(
            (
                row.model,
                (row.model,),
                row.reference,
                tuple(
                    it.format(cell.value)
                    for it, cell in zip(table.columns, row.cells, strict=True)
                    if cell.value is not None
                ),
            )
            for row in table.rows
        ),
    )


def draw(seed: int) -> Drawn:
    """Draw a right table."""
    generator = random.Random(seed)
    own = generator.random() < 0.5
    source = _own_source(generator.randrange(60)) if own else generator.choice(_published_sources())
    known = [source.known] if own else [each.known for each in _published_sources()]
    systems = [row for row in source.rows if not row[2]]
    rows = generator.sample(systems, generator.randint(2, len(systems)))
    with_truth = generator.random() < 0.6
    rows += [row for row in source.rows if row[2]] if with_truth else []
    places = generator.sample(range(len(source.columns)), generator.randint(1, len(source.columns)))
    truth = next(row for row in source.rows if row[2])

    def merit(row: Sequence[object], place: int) -> float | None:
        texts = row[3]
        assert isinstance(texts, tuple)
        if texts[place] == "-":
            return None
        direction, decimals = source.columns[place][2], source.columns[place][1]
        if direction == "reference":
            model = str(row[0])
            cell, true = (
                next(each for each in source.known.rows if each.model == name).cells for name in (model, truth[0])
            )
            metric = source.known.columns[place].metric
            left, right = cell[metric].value, true[metric].value
            assert left is not None
            assert right is not None
            return -round(float(abs(left - right)), decimals)
        return float(texts[place]) * (-1 if direction == "lower" else 1)

    sorted_by = None
    if generator.random() < 0.5:
        at = generator.randrange(len(places))
        merits = [merit(row, places[at]) for row in rows]
        if all(value is not None for value in merits):
            sorted_by = at + 1
            rows.sort(key=lambda row: (row[2], -(merit(row, places[at]) or 0)))
    drawn = Drawn(
        printed=PrintedTable(["Method"], [], set()),
        known=known,
        models=[row[0] for row in rows],
        apart=[row[2] for row in rows],
        decimals=[0, *(source.columns[place][1] for place in places)],
        merits=[[None, *(merit(row, place) for place in places)] for row in rows],
        sorted_by=sorted_by,
    )
    for place in places:
        heading = generator.choice(source.columns[place][0])
        drawn.printed.header.append(
            heading + generator.choice(["", " ↑" if source.columns[place][2] == "higher" else ""])
        )
    for row in rows:
        name = _respelt(generator.choice(row[1]), generator)
        drawn.printed.rows.append([name, *(row[3][place] for place in places)])
    if generator.random() < 0.7:
        drawn.printed.bold = _best(drawn)
    if sorted_by is not None:
        heading = drawn.printed.header[sorted_by].removesuffix(" ↑")
        drawn.printed.caption = generator.choice(
            [
                f"Results, sorted by {heading}.",
                f"结果按{heading}排序。",
                f"Systems ranked by the {heading}, best first.",
            ]
        )
    else:
        drawn.printed.caption = "Results."
    return drawn


def _respelt(name: str, generator: random.Random) -> str:
    dash = generator.choice(_DASHES)
    return name.replace("-", dash).replace("\N{NON-BREAKING HYPHEN}", dash)


def _best(drawn: Drawn) -> set[tuple[int, int]]:
    found = set()
    for at in range(1, len(drawn.printed.header)):
        merits = {row: it[at] for row, it in enumerate(drawn.merits) if it[at] is not None and not drawn.apart[row]}
        if len(merits) > 1:
            found |= {(row, at) for row, merit in merits.items() if merit == max(merits.values())}
    return found


def planted(seed: int, kind: str) -> Drawn | None:
    """Draw a table and plant one error; None where the table that was drawn has no place for it."""
    drawn, generator = draw(seed), random.Random(seed + 1)
    plant: dict[str, Callable[[Drawn, random.Random], bool]] = {
        "number": _wrong_number,
        "bold": _moved_bold,
        "doubled-row": _doubled_row,
        "order": _swapped_rows,
    }
    return drawn if plant[kind](drawn, generator) else None


def _places(drawn: Drawn) -> list[tuple[int, int]]:
    rows, columns = range(len(drawn.printed.rows)), range(1, len(drawn.printed.header))
    return [(row, at) for row in rows for at in columns if drawn.printed.rows[row][at] != "-"]


def _wrong_number(drawn: Drawn, generator: random.Random) -> bool:
    row, at = generator.choice(_places(drawn))
    units = generator.choice([1, -1, generator.randint(2, 500), -generator.randint(2, 500)])
    decimals = drawn.decimals[at]
    whole = round(float(drawn.printed.rows[row][at]) * 10**decimals) + units
    drawn.printed.rows[row][at] = f"{whole / 10**decimals:.{decimals}f}"
    drawn.planted_at = [("number", drawn.printed.rows[row][0], drawn.printed.header[at])]
    return True


def _moved_bold(drawn: Drawn, generator: random.Random) -> bool:
    bold = sorted(drawn.printed.bold)
    if not bold:
        return False
    row, at = generator.choice(bold)
    others = [other for other, place in _places(drawn) if place == at and (other, at) not in drawn.printed.bold]
    if not others:
        return False
    other = generator.choice(others)
    drawn.printed.bold = drawn.printed.bold - {(row, at)} | {(other, at)}
    drawn.planted_at = [("bold", drawn.printed.rows[place][0], drawn.printed.header[at]) for place in (row, other)]
    return True


def _doubled_row(drawn: Drawn, generator: random.Random) -> bool:
    row = generator.choice(_places(drawn))[0]
    below = generator.randint(row + 1, len(drawn.printed.rows))
    drawn.printed.rows.insert(below, list(drawn.printed.rows[row]))
    moved = {(at + (at >= below), column) for at, column in drawn.printed.bold}
    drawn.printed.bold = moved | {(below, column) for at, column in moved if at == row}
    drawn.planted_at = [("doubled-row", drawn.printed.rows[row][0], "")]
    return True


def _swapped_rows(drawn: Drawn, generator: random.Random) -> bool:
    at = drawn.sorted_by
    if at is None:
        return False
    rivals = [row for row, apart in enumerate(drawn.apart) if not apart]
    left, right = sorted(generator.sample(rivals, 2))
    if drawn.merits[left][at] == drawn.merits[right][at]:
        return False
    for rows in (drawn.printed.rows, drawn.merits):
        rows[left], rows[right] = rows[right], rows[left]  # type: ignore[index]
    swap = {left: right, right: left}
    drawn.printed.bold = {(swap.get(row, row), column) for row, column in drawn.printed.bold}
    drawn.planted_at = [("order", row[0], drawn.printed.header[at]) for row in drawn.printed.rows]
    return True


# -- the formats, written without the code that reads them


def _cells(table: PrintedTable, bold: str) -> list[list[str]]:
    return [
        [bold.format(cell) if (row, at) in table.bold else cell for at, cell in enumerate(cells)]
        for row, cells in enumerate(table.rows)
    ]


def _markdown(table: PrintedTable) -> str:
    lines = [table.header, ["---"] * len(table.header), *_cells(table, "**{}**")]
    grid = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# Page\n\nAbout it.\n\n{table.caption}\n\n{grid}\n\nThe end.\n"


def _html(table: PrintedTable) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in table.header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in _cells(table, "<b>{}</b>")
    )
    caption = f"<caption>{table.caption}</caption>"
    return f"Text.\n\n<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n\nMore.\n"


def _latex(table: PrintedTable) -> str:
    def escaped(text: str) -> str:
        return text.replace("_", r"\_").replace("%", r"\%").replace("↑", r"$\uparrow$")

    cells = [[escaped(cell) for cell in cells] for cells in _cells(table, r"\textbf{{{}}}")]
    lines = [rf"{' & '.join(line)} \\" for line in cells]
    return "\n".join(
        [
            r"\begin{table}[t] % floats",
            rf"\caption{{{escaped(table.caption)}}}",
            rf"\begin{{tabular}}{{@{{}}l{'c' * (len(table.header) - 1)}@{{}}}}",
            r"\toprule",
            rf"{' & '.join(escaped(cell) for cell in table.header)} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _csv(table: PrintedTable) -> str:
    lines = [table.header, *_cells(table, "**{}**")]
    return f"# {table.caption}\n" + "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines) + "\n"


WRITERS: dict[str, Callable[[PrintedTable], str]] = {
    "page.md": _markdown,
    "html.md": _html,
    "paper.tex": _latex,
    "table.csv": _csv,
}
