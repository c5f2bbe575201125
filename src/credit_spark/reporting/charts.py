"""A chart is data and a sentence that says what it shows; drawing.py draws it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from credit_spark.evaluation.curves import interval

Kind = Literal["lines", "rates", "bars", "heat"]


class Chart(NamedTuple):
    """A chart: its name, its heading, what it says; `data` is None where there is not enough.

    lines: x, series (a name and its y), x_label, y_label.
    rates: labels, loans, rate, low, high (None where nothing is known), expected.
    bars: labels, values, x_label, least (how far the axis reaches at least).
    heat: rows, columns, values (None where there is none), signed (from -1 to 1, else shares).
    """

    name: str
    title: str
    kind: Kind
    says: str
    data: Mapping[str, Any] | None


class Rate(NamedTuple):
    """Loans of one kind: how many, of how many the outcome is known, how many of those are bad.

    `expected` is the mean PD of those with a known outcome.
    """

    label: str
    loans: int
    known: int
    bad: int
    expected: float | None

    @property
    def rate(self) -> float | None:
        """The share that is bad."""
        return self.bad / self.known if self.known else None


MAX_BARS = 40
# With fewer known outcomes, a rate is no more than chance.
MIN_KNOWN = 30


def nothing(name: str, title: str, kind: Kind, why: str) -> Chart:
    """A chart that can't be drawn, and why."""
    return Chart(name, title, kind, f"Not enough data: {why}.", None)


def lines(
    name: str,
    title: str,
    says: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    labels: tuple[str, str],
) -> Chart:
    """Curves over one x; `labels` are those of the axes."""
    data = {"x": list(x), "series": {each: list(y) for each, y in series.items()}}
    return Chart(name, title, "lines", says, data | {"x_label": labels[0], "y_label": labels[1]})


def rates(
    name: str, title: str, found: Sequence[Rate], what: str, loans: int | None = None
) -> Chart:
    """Loans and the rate of bad among them, with its 95% interval, beside what was expected.

    `what` names the bars, as in 'The grade'; `loans` are all, where some are not shown.
    """
    shown = [each for each in found if each.loans]
    if not shown:
        return nothing(name, title, "rates", "there are no loans")
    intervals = [interval(each.bad, each.known) if each.known else (None, None) for each in shown]
    data = {
        "labels": [each.label for each in shown],
        "loans": [each.loans for each in shown],
        "rate": [each.rate for each in shown],
        "low": [low for low, _ in intervals],
        "high": [high for _, high in intervals],
        "expected": [each.expected for each in shown],
    }
    return Chart(name, title, "rates", _extremes(shown, what, loans), data)


def bars(
    name: str, title: str, says: str, values: Mapping[str, float], x_label: str, least: float = 0.0
) -> Chart:
    """A bar for each name; the axis reaches as far as `least` at least."""
    shown = dict(list(values.items())[:MAX_BARS])
    if len(values) > MAX_BARS:
        says += f" {MAX_BARS} of {len(values)} are shown."
    data = {"labels": list(shown), "values": list(shown.values())}
    return Chart(name, title, "bars", says, data | {"x_label": x_label, "least": least})


def largest_first(values: Mapping[str, float]) -> dict[str, float]:
    """By size, of either sign; equals by name."""
    return dict(sorted(values.items(), key=lambda each: (-abs(each[1]), each[0])))


def heat(
    name: str,
    title: str,
    says: str,
    sides: tuple[Sequence[str], Sequence[str]],
    values: Sequence[Sequence[float | None]],
    *,
    signed: bool = False,
) -> Chart:
    """A field for each pair of names: rows, then columns; shares, or signed from -1 to 1."""
    data = {"rows": list(sides[0]), "columns": list(sides[1]), "values": [*map(list, values)]}
    return Chart(name, title, "heat", says, data | {"signed": signed})


def _extremes(shown: Sequence[Rate], what: str, loans: int | None) -> str:
    """Where the rate of bad is lowest and highest, among those that enough is known of."""
    sure = [each for each in shown if each.known >= MIN_KNOWN]
    most = max(shown, key=lambda each: each.loans)
    share = most.loans / (loans or sum(each.loans for each in shown))
    frequent = f"{what} is most often {most.label.strip('()')} ({share:.0%} of the loans)"
    if len(sure) < 2:
        return f"{frequent}; too few outcomes are known to compare bad rates."
    low, *_, high = sorted(sure, key=lambda each: each.rate or 0.0)
    ends = [f"{each.rate:.1%} ({each.label.strip('()')})" for each in (low, high)]
    return f"{frequent}; the bad rate goes from {' to '.join(ends)}."
