"""The matrix of who has what, with its margins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from circulate_core.console import counted
from circulate_core.exceptions import SettingsError
from circulate_core.jupyter import figures
from circulate_core.jupyter.columns import as_labels, as_strings, distinct, name_of
from circulate_core.jupyter.figures import INK, WIDTH, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from circulate_core.jupyter.figures import Group

    Numbers = NDArray[np.int64]
    Shares = NDArray[np.float64]

BARS = 240
"""Most bars beside each other; where there are more columns, each bar is several of them."""
GAPS = 120
"""Up to how many bars there are gaps between them."""
NAMED = 40
"""Up to how many columns are named."""
NARROWEST = 12
"""How many bars there is room for, even if there are fewer."""
FEWEST, MOST_ROWS = 3, 200
"""How many rows there is room for at least, and at most: a picture grows with them."""
BAND = 0.68
"""How much of the height of a row can be filled."""
ROW, MARGIN, AROUND = 0.27, 0.95, 1.0
"""Heights in inches: of a row, of the margin above, and of the texts around."""
LETTER, BARS_WIDTH = 0.075, 5.0
"""Widths in inches: of a letter, and of all bars at least."""
ROW_LETTERS, COLUMN_LETTERS, LINE_LETTERS = 36, 24, 90
"""How long names of rows and columns, and the text below them, may be."""


class _Cells(NamedTuple):
    """Each row, column and group of labels that are given together, once; as numbers."""

    row: Numbers
    column: Numbers
    group: Numbers

    def weights(self) -> Shares:
        """Return how much of its place each takes: those of the same row and column share it."""
        pair = self.row * (int(self.column.max()) + 1) + self.column
        _, which, times = np.unique(pair, return_inverse=True, return_counts=True)
        weights: Shares = 1.0 / times[which]
        return weights


class _Shares(NamedTuple):
    """What is drawn, by group of labels, row and bar."""

    cells: Shares
    """How much of each place is filled, 0 to 1."""
    above: Shares
    """How many rows each bar has; the mean of its columns. Without rows."""
    beside: Shares
    """How many columns each row has. Without bars."""


def matrix(  # noqa: PLR0913 - how it is drawn
    rows: Iterable[object],
    columns: Iterable[object],
    by: Iterable[object] | None = None,
    *,
    top: int = 6,
    top_rows: int = 30,
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw who has what: a row for each thing, a column for each person, and how many there are of each in the margins.

    `rows[n]` and `columns[n]` belong together, as in a table of assignments. A pair that is given more than once counts
    once. Where there are more columns than there is room for bars, those that are alike become one bar, as high as the
    share of them that has it.

    Args:
        rows: What somebody has, such as applications: a list, or a column of pandas, polars, NumPy or Arrow. Pairs of
            which one is missing are left out.
        columns: Who has it, such as people.
        by: A label of each pair, such as how it was assigned. Labels of the same pair share its place.
        top: How many labels are drawn, the largest first; the others are added up. 1 to 8, default 6.
        top_rows: How many rows are drawn, the largest first; the others become one. 1 to 200, default 30.
        colours: Colours of some labels, which are drawn first, in this order.
        title: Above the picture. Default: how many there are of each, by the names of the columns that are given.

    Raises:
        SettingsError: There is nothing to draw, or an argument is wrong.
    """
    if not 1 <= top_rows <= MOST_ROWS:
        message = f"`top_rows` is {top_rows}: there is room for 1 to {MOST_ROWS} rows"
        raise SettingsError(message)
    row_names, row, column_names, column, label_names, label = _read(rows, columns, by)
    # Labels are ranked by how many pairs have them, however often these were given.
    pairs = _once(row, column, label)
    groups = figures.groups([label_names[number] for number in pairs.group], top, colours)
    cells = _once(pairs.row, pairs.column, figures.numbered(label_names, groups)[pairs.group])

    sizes = _without_groups(cells)
    row_sizes, column_sizes = np.bincount(sizes.row), np.bincount(sizes.column)
    row_order = sorted(range(len(row_names)), key=lambda number: (-row_sizes[number], row_names[number]))
    names = [row_names[number] for number in row_order]
    if len(names) > top_rows + 1:
        names = [*names[:top_rows], counted(len(names) - top_rows, "other")]
    drawn = _once(np.minimum(_ranks(row_order)[cells.row], len(names) - 1), cells.column, cells.group)
    column_order = _alike_together(drawn, len(names), column_sizes, column_names)

    noun, whose = name_of(rows, "row"), name_of(columns, "column")
    figure = Picture(layout="constrained")
    shares = _shares(cells, drawn, _ranks(column_order), (len(groups), len(names)))
    panel, beside = _panels(figure, shares, groups, (f"{_plural(noun)} of each {whose}", _plural(whose)))
    _name_rows(panel, beside, names, np.bincount(_without_groups(drawn).row))
    in_order = [column_names[number] for number in column_order]
    extra = _name_columns(panel, in_order, whose, f"those with the most {_plural(noun)} first")
    if by is not None:
        counts = np.bincount(cells.group, minlength=len(groups))
        texts = [group.counted(int(count)) for group, count in zip(groups, counts, strict=True)]
        figures.legend_below(figure, texts, [group.colour for group in groups])
    figure.set_size_inches(WIDTH, MARGIN + ROW * max(len(names), FEWEST) + extra + AROUND)
    if title is None:
        parts = _counted(len(row_names), noun), _counted(len(column_names), whose), counted(len(sizes.row), "pair")
        title = ", ".join(parts)
    figures.title(figure, title)
    return figure


def _read(
    rows: object, columns: object, by: object | None
) -> tuple[list[str], Numbers, list[str], Numbers, list[str], Numbers]:
    """Return the different rows, and which of them each pair has; the same of columns and labels."""
    of_rows, of_columns = as_strings("rows", rows), as_strings("columns", columns)
    if len(of_rows) != len(of_columns):
        message = f"`rows` has {len(of_rows):,} values, and `columns` has {len(of_columns):,}"
        raise SettingsError(message, hint="give two columns of one table: each line of it is a pair")
    labels = np.full(len(of_rows), "") if by is None else as_labels(by, len(of_rows), "pairs")
    every = zip(of_rows, of_columns, labels.tolist(), strict=True)
    given = [(row, column, label) for row, column, label in every if row is not None and column is not None]
    if not given:
        message = "there are no pairs to draw"
        raise SettingsError(message, hint="look at what was left out: a pair has both a row and a column")
    return (
        *_numbered([row for row, _, _ in given]),
        *_numbered([column for _, column, _ in given]),
        *_numbered([label for _, _, label in given]),
    )


def _numbered(names: Sequence[str]) -> tuple[list[str], Numbers]:
    """Return the different names, and for each name its number among them."""
    numbers: dict[str, int] = {}
    numbered = [numbers.setdefault(name, len(numbers)) for name in names]
    return list(numbers), np.array(numbered)


def _once(row: Numbers, column: Numbers, group: Numbers) -> _Cells:
    # One number for each: a sort of these is several times as fast as one of rows.
    columns, groups = int(column.max()) + 1, int(group.max()) + 1
    pair, group = np.divmod(distinct((row * columns + column) * groups + group), groups)
    return _Cells(*np.divmod(pair, columns), group)


def _without_groups(cells: _Cells) -> _Cells:
    """Return each row and column that are given together, once."""
    return _once(cells.row, cells.column, np.zeros_like(cells.row))


def _ranks(order: Sequence[int]) -> Numbers:
    """Return for each number at which place of the order it is."""
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _alike_together(drawn: _Cells, rows: int, sizes: Numbers, names: Sequence[str]) -> list[int]:
    """Return the columns as they are drawn: the largest first, and beside each other those that have the same rows."""
    lacks = np.ones((rows, len(names)), dtype=bool)
    lacks[drawn.row, drawn.column] = False
    last_group = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(last_group, drawn.column, drawn.group)
    return [int(number) for number in np.lexsort([np.array(names), last_group, *lacks[::-1], -sizes])]


def _shares(cells: _Cells, drawn: _Cells, place: Numbers, shape: tuple[int, int]) -> _Shares:
    """Count what is drawn.

    Args:
        cells: All rows.
        drawn: The rows as they are drawn.
        place: Where each column is.
        shape: How many groups and rows there are.
    """
    columns_of_bar = -(-len(place) // BARS)
    bar_of = place // columns_of_bar
    bars = np.bincount(bar_of)
    groups, rows = shape
    in_cells = np.zeros((groups, rows, len(bars)))
    above, beside = np.zeros((groups, len(bars))), np.zeros((groups, rows))
    np.add.at(in_cells, (drawn.group, drawn.row, bar_of[drawn.column]), drawn.weights())
    np.add.at(above, (cells.group, bar_of[cells.column]), cells.weights())
    np.add.at(beside, (drawn.group, drawn.row), drawn.weights())
    return _Shares(in_cells / bars, above / bars, beside)


def _panels(figure: Picture, shares: _Shares, groups: Sequence[Group], headings: tuple[str, str]) -> tuple[Axes, Axes]:
    """Draw the matrix and its margins; return the matrix, and the margin beside it."""
    _, rows, bars = shares.cells.shape
    heights = [MARGIN, ROW * max(rows, FEWEST)]
    grid = figure.add_gridspec(2, 2, width_ratios=[5, 1], height_ratios=heights, hspace=0.02, wspace=0.02)
    panel = figure.add_subplot(grid[1, 0])
    above = figure.add_subplot(grid[0, 0], sharex=panel)
    beside = figure.add_subplot(grid[1, 1], sharey=panel)
    half = 0.4 if bars <= GAPS else 0.5
    place, line = np.arange(bars), np.arange(rows)
    for each in line:
        panel.fill_between([-0.5, bars - 0.5], each - BAND / 2, each + BAND / 2, color=INK, alpha=0.09, linewidth=0)
    for number, group in enumerate(groups):
        cells_below, above_below, beside_before = (each[:number].sum(axis=0) for each in shares)
        row, bar = np.nonzero(shares.cells[number])
        bottom = row + BAND * (0.5 - cells_below[row, bar])
        height = BAND * shares.cells[number, row, bar]
        figures.bars(panel, (bar - half, bar + half), (bottom, bottom - height), group.colour)
        end = above_below + shares.above[number]
        figures.bars(above, (place - half, place + half), (above_below, end), group.colour)
        end = beside_before + shares.beside[number]
        figures.bars(beside, (beside_before, end), (line - BAND / 2, line + BAND / 2), group.colour)
    for each_panel in (panel, above, beside):
        figures.clean(each_panel)
        each_panel.spines[:].set_visible(False)
        each_panel.tick_params(length=0)
        each_panel.grid(visible=False)
    panel.set_ylim(rows - 0.5, -0.5)
    panel.set_xlim(-0.6, max(bars, NARROWEST) - 0.4)
    above.set_ylim(0, float(shares.above.sum(axis=0).max()) * 1.05)
    above.tick_params(labelbottom=False)
    above.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    above.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    figures.heading(above, figures.shown(headings[0]))
    beside.set_xlim(0, float(shares.beside.sum(axis=0).max()) * 1.35)
    beside.tick_params(labelleft=False, labelbottom=False)
    # In the empty corner, for which no room is to be made.
    corner: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "color": INK, "fontsize": 9}
    beside.annotate(figures.shown(headings[1]), (0, 1), (0, 4), **corner).set_in_layout(False)
    return panel, beside


def _name_rows(panel: Axes, beside: Axes, names: Sequence[str], sizes: Numbers) -> None:
    panel.set_yticks(range(len(names)), [figures.shown(name, ROW_LETTERS) for name in names])
    for row, size in enumerate(sizes):
        beside.annotate(
            f"{size:,}", (size, row), (4, 0), textcoords="offset points", va="center_baseline", fontsize=8, color=INK
        )


def _name_columns(panel: Axes, names: Sequence[str], noun: str, order: str) -> float:
    """Name the columns, or say what they are; return how many inches that takes."""
    if len(names) > NAMED:
        several = -(-len(names) // BARS)
        each = f"one {noun}" if several == 1 else _counted(several, noun)
        panel.set_xticks([])
        panel.set_xlabel(figures.shown(f"each bar is {each}, {order}", LINE_LETTERS), color=INK, fontsize=9)
        return 0.0
    shown = [figures.shown(name, COLUMN_LETTERS) for name in names]
    longest = LETTER * max(map(len, shown))
    upright = longest > BARS_WIDTH / max(len(names), NARROWEST)
    panel.set_xticks(range(len(shown)), shown, rotation=90 if upright else 0)
    return longest if upright else 0.0


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in {"a", "e", "i", "o", "u"}:
        return f"{noun[:-1]}ies"
    return noun if noun.endswith("s") else f"{noun}s"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else _plural(noun)}"
