"""What the pictures of `plots` have in common: colours, sizes, legends, and how they are shown."""

from __future__ import annotations

import io
import math
import warnings
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import font_manager, rcParams
from matplotlib.collections import PolyCollection
from matplotlib.colors import is_color_like, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from circulate_core.console import counted, span
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.legend import Legend
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

COLOURS = ["#0072b2", "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c6bb1", "#b2a429"]
"""Of labels, the largest first; Okabe and Ito's, which the colour-blind can distinguish, and two more."""
OTHER = "#9a9a9a"
"""Of all other labels."""
INK = "#808080"
"""Of lines and texts: it stands out from white and from black alike."""

WIDTH = 9.0
"""Inches."""
DPI = 100
"""Pixels of an inch as notebooks show it; there are twice as many in the picture."""
LEGEND_LETTERS = 122
"""How many letters of a legend fit into a line below a picture."""
SWATCH_LETTERS = 7
"""How many letters a colour and the space around it take there."""


OTHER_SCRIPTS = [
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans CJK KR",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
]
"""Fonts with letters that the usual one lacks, which systems come with."""
LEGEND: dict[str, Any] = {
    "frameon": False,
    "fontsize": 9,
    "labelcolor": INK,
    "handlelength": 0.9,
    "handleheight": 0.9,
}
"""How legends look."""


class Picture(Figure):
    """A figure that notebooks show as it is, whatever they do with figures otherwise."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw it, with letters of other fonts where the usual one lacks them."""
        fonts = _fonts()
        for text in self.findobj(Text):
            text.set_fontfamily(fonts)
        with warnings.catch_warnings():
            # One for each letter that no font has; it shows as a box.
            warnings.filterwarnings("ignore", message=r"Glyph \d+")
            super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Draw it for a notebook, sharp on fine screens."""
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=2 * DPI, transparent=True, metadata={"Software": None})
        width, height = self.get_size_inches() * DPI
        return content.getvalue(), {"width": int(width), "height": int(height)}


@cache
def _fonts() -> list[str]:
    """Return the usual fonts, and those of other scripts that are installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [*rcParams["font.family"], *(name for name in OTHER_SCRIPTS if name in installed)]


class Group(NamedTuple):
    """What is drawn in one colour."""

    name: str
    """The label, or how many there are of the rest."""
    labels: frozenset[str]
    """The labels in it."""
    colour: str

    def counted(self, count: int) -> str:
        """Return what a legend says of it."""
        return f"{shown(self.name)}  {count:,}"


def groups(labels: Sequence[str], top: int, colours: Mapping[str, str] | None = None) -> list[Group]:
    """Return what is drawn in which colour: labels that have one of their own, the largest ones, and the rest.

    Args:
        labels: The label of each thing that is counted.
        top: How many groups there are without the rest.
        colours: Colours of some labels; these come first, in this order.

    Raises:
        SettingsError: An argument is wrong.
    """
    if not 1 <= top <= len(COLOURS):
        message = f"`top` is {top}: there are colours for 1 to {len(COLOURS)} labels"
        raise SettingsError(message)
    wrong = [f"{colour!r} of {label!r}" for label, colour in (colours or {}).items() if not is_color_like(colour)]
    if wrong:
        message = f"invalid `colours`: not a colour: {', '.join(wrong)}"
        raise SettingsError(message, hint="give one of `plots.COLOURS`, a name such as 'tomato', or '#d55e00'")
    own = {str(label): to_hex(colour) for label, colour in (colours or {}).items()}
    sizes = Counter(labels)
    first = [label for label in own if label in sizes]
    ranked = first + [label for label, _ in sizes.most_common() if label not in own]
    named, rest = ranked[: max(top, len(first))], ranked[max(top, len(first)) :]
    left = iter([colour for colour in COLOURS if colour not in own.values()] * 2)
    found = [Group(label, frozenset([label]), own.get(label) or next(left)) for label in named]
    if rest:
        found.append(Group(rest[0] if len(rest) == 1 else counted(len(rest), "other"), frozenset(rest), OTHER))
    return found


def numbered(labels: Iterable[str], groups: Sequence[Group]) -> NDArray[np.int64]:
    """Return for each label in which of the groups it is."""
    numbers = {label: number for number, group in enumerate(groups) for label in group.labels}
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def bars(panel: Axes, across: tuple[Numbers, Numbers], upright: tuple[Numbers, Numbers], colour: str) -> None:
    """Draw rectangles, all at once: there may be some ten thousand.

    Args:
        panel: Where.
        across: Where each begins and ends on the horizontal axis.
        upright: The same on the vertical one.
        colour: Of all of them.
    """
    (left, right), (bottom, top) = across, upright
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=-1).reshape(-1, 4, 2)
    panel.add_collection(PolyCollection(list(corners), facecolors=colour, linewidths=0), autolim=False)


def legend_below(figure: Figure, names: Sequence[str], colours: Sequence[str]) -> None:
    """Name colours below a picture, in as few lines as it takes."""
    lines = next(lines for lines in range(1, len(names) + 1) if lines == len(names) or _fits(names, lines))
    columns = -(-len(names) // lines)
    _named(figure.legend(handles=_swatches(colours), loc="outside lower left", ncols=columns, **LEGEND), names)


def _fits(names: Sequence[str], lines: int) -> bool:
    """Return whether names fit below each other in so many lines: each column is as wide as the longest of it."""
    columns = [names[first : first + lines] for first in range(0, len(names), lines)]
    return sum(max(map(len, column)) + SWATCH_LETTERS for column in columns) <= LEGEND_LETTERS


def legend_beside(panel: Axes, names: Sequence[str], colours: Sequence[str]) -> None:
    """Name colours beside a panel, the first at the bottom, as they lie there."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.02)}
    _named(panel.legend(handles=_swatches(colours[::-1]), **place, **LEGEND), names[::-1])


def _swatches(colours: Sequence[str]) -> list[Patch]:
    return [Patch(facecolor=colour, label="-") for colour in colours]


def _named(legend: Legend, names: Sequence[str]) -> None:
    # Not by labels of handles: matplotlib leaves out those that begin with `_`.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def shown(name: str, letters: int = 60) -> str:
    """Return a name as it is drawn: on one line, cut if it is long, and no formula."""
    line = " ".join(name.split())
    return (line if len(line) <= letters else f"{line[: letters - 1]}…").replace("$", r"\$")


def length_in_words(length: timedelta, *, weeks: bool = True) -> str:
    """Return a length as it follows `per`: `hour`, `15 minutes`, `day`, `week`."""
    seconds = length.total_seconds()
    units = [(604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")]
    for size, noun in units[0 if weeks else 1 :]:
        if seconds >= size and math.isclose(seconds % size, 0):
            number = round(seconds / size)
            return noun if number == 1 else f"{number:,} {noun}s"
    return span(seconds)


def clean(panel: Axes) -> None:
    """Leave only what is needed to read a panel, in a colour that reads on any background."""
    panel.set_facecolor("none")
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(INK)
    panel.tick_params(colors=INK, labelsize=9, length=3, width=0.8)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.yaxis.set_major_locator(MaxNLocator(4, integer=panel.get_ylim()[1] > 4))  # noqa: PLR2004 - few integers are dull
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e4 else f"{value:,.0f}"))  # noqa: PLR2004 - where `g` turns to powers


def heading(panel: Axes, text: str) -> None:
    """Say above a panel what it shows."""
    panel.set_title(text, loc="left", color=INK, fontsize=9)


def title(figure: Figure, text: str) -> None:
    """Say above a picture what it shows, and take its background away."""
    figure.patch.set_alpha(0)
    if text:
        figure.suptitle(text, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
