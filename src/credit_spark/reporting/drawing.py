"""Charts as pictures, and a report as one page of HTML: the only code that knows Matplotlib."""

import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, Literal
from warnings import catch_warnings, simplefilter

import matplotlib as mpl
import numpy as np
from cycler import cycler
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from credit_spark.reporting.charts import Chart, Kind
from credit_spark.reporting.sections import Report

Data = Mapping[str, Any]
Format = Literal["svg", "png"]
WIDTH, HEIGHT, A_BAR = 6.4, 3.2, 0.22
GREY, BLUE, RED = "#c9ced6", "#2b5c8a", "#b3372b"
COLOURS = (BLUE, RED, "#5a8f3c", "#8a5aa8", "#b8862b", "#4a4a4a")
# As many as stand beside each other, of letters and of bars with a label.
LETTERS, LABELLED = 70, 24
# Colours that mean the same in every chart.
NAMED = {"good": BLUE, "bad": RED, "open": "#7a7f87", "chance": "#7a7f87"}
LONGEST = 56
STYLE: Any = {
    "svg.fonttype": "none",
    # A lender's texts are texts, whatever dollars are in them.
    "text.parse_math": False,
    # A chart of the same data is the same file.
    "svg.hashsalt": "credit-spark",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
}


def drawn(chart: Chart, format_: Format) -> bytes:
    """A chart that has data, as a picture."""
    assert chart.data is not None
    with mpl.rc_context(STYLE), catch_warnings():
        # A letter that the font has not is drawn as a box.
        simplefilter("ignore")
        figure = Figure(figsize=_size(chart.kind, chart.data))
        DRAWN[chart.kind](figure.subplots(), chart.data)
        file = BytesIO()
        metadata = {"Date": None} if format_ == "svg" else None
        figure.savefig(file, format=format_, metadata=metadata, dpi=150, bbox_inches="tight")
    return file.getvalue()


def page(report: Report) -> str:
    """A report as a page of HTML, with nothing outside it."""
    charts = [chart for section in report.sections for chart in section.charts if chart.data]
    # What is drawn is ours: the library escapes the texts in it.
    pictures = {chart.name: Markup(_inline(chart)) for chart in charts}  # noqa: S704
    loader = PackageLoader("credit_spark.reporting")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html").render(report=report, pictures=pictures)


def _inline(chart: Chart) -> str:
    """A chart as SVG for a page with other charts: the ids of its parts are unique."""
    text = drawn(chart, "svg").decode()
    svg = text[text.index("<svg") :]
    named = re.sub(r'\bid="', f'id="{chart.name}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{chart.name}-", named)


def _size(kind: Kind, data: Data) -> tuple[float, float]:
    """Width and height: as much as the bars, or the fields of a heat map, need."""
    if kind == "bars":
        return WIDTH, max(1.6, 0.8 + A_BAR * len(data["labels"]))
    if kind == "heat":
        width = max(WIDTH, 2 + A_BAR * len(data["columns"]))
        return width, max(HEIGHT, 1.4 + 0.26 * len(data["rows"]))
    return WIDTH, HEIGHT


def _lines(axes: Axes, data: Data) -> None:
    for name, values in data["series"].items():
        # Of a few points, each is marked.
        style: Any = {"color": NAMED.get(name), "marker": "o" if len(data["x"]) < 12 else ""}
        axes.plot(data["x"], values, label=name, linewidth=1.6, markersize=4, **style)
    # Of folds, years and points, ticks are whole numbers.
    if max(data["x"]) - min(data["x"]) >= 2:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(data["x_label"])
    axes.set_ylabel(data["y_label"])
    if len(data["series"]) > 1:
        axes.legend(frameon=False)


def _rates(axes: Axes, data: Data) -> None:
    places = range(len(data["labels"]))
    axes.bar(places, data["loans"], color=GREY, label="loans")
    axes.set_ylabel("loans")
    step = -(-len(places) // LABELLED)
    labels = [_short(each) for each in data["labels"]][::step]
    axes.set_xticks(places[::step], labels, **_turned(labels))
    beside = axes.twinx()
    beside.spines["right"].set_visible(True)
    # None is NaN, which is not drawn.
    names = ("rate", "low", "high", "expected")
    rate, low, high, expected = (np.array(data[name], dtype=float) for name in names)
    ends = [rate - low, high - rate]
    beside.errorbar(places, rate, ends, fmt="o", color=RED, capsize=2, label="bad rate, 95%")
    beside.plot(places, expected, "_", markersize=11, color=BLUE, label="mean PD")
    beside.set_ylim(bottom=0)
    beside.yaxis.set_major_formatter(PercentFormatter(1))
    beside.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)


def _bars(axes: Axes, data: Data) -> None:
    places = range(len(data["labels"]))
    drawn_bars = axes.barh(places, data["values"], color=BLUE)
    axes.bar_label(drawn_bars, [_label(each) for each in data["values"]], padding=2, fontsize=7)
    axes.margins(x=0.12)
    if data["least"]:
        axes.set_xlim(right=max(data["least"], 1.12 * max(data["values"])))
    axes.set_yticks(places, [_short(each) for each in data["labels"]])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(data["x_label"])


def _heat(axes: Axes, data: Data) -> None:
    values = np.array(data["values"], dtype=float)
    highest = np.nan_to_num(values).max() or 1
    colours, low, high = ("RdBu_r", -1, 1) if data["signed"] else ("Reds", 0, highest)
    picture = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    columns, rows = ([_short(each) for each in data[side]] for side in ("columns", "rows"))
    axes.set_xticks(range(len(columns)), columns, **_turned(columns))
    axes.set_yticks(range(len(rows)), rows)
    bar = axes.figure.colorbar(picture, ax=axes)
    if not data["signed"]:
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1))


DRAWN: Mapping[Kind, Callable[[Axes, Data], None]] = {
    "lines": _lines, "rates": _rates, "bars": _bars, "heat": _heat,
}  # fmt: skip


def _turned(labels: Sequence[str]) -> dict[str, Any]:
    is_wide = sum(len(each) + 2 for each in labels) > LETTERS
    return {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_wide else {}


def _label(value: float) -> str:
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
