"""The imbalanced classification report at one threshold, from cells.

A loan is called bad where its PD is at or above the threshold. Each figure stands for a label
that counts as positive, and for 'all' as the mean of the labels weighted by their support, as
imbalanced-learn's classification_report_imbalanced has it. What is undefined is 0 there and here:
no loan was called so.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from credit_spark.evaluation.cells import Cell

# Weight of dominance (recall - specificity) in IBA.
# Source: Garcia, Sanchez, Mollineda (2012), On the effectiveness of preprocessing methods.
DOMINANCE = 0.1


class Confusion(NamedTuple):
    """Loans by what they were called and what they turned out, for one positive label."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    def other(self) -> "Confusion":
        """The same with the other label as the positive one."""
        return Confusion(
            self.true_negative, self.false_negative, self.true_positive, self.false_positive
        )

    @property
    def support(self) -> int:
        """Loans that have the label."""
        return self.true_positive + self.false_negative

    @property
    def precision(self) -> float:
        """Share of those called positive that are."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the positives that are called so."""
        return _share(self.true_positive, self.support)

    @property
    def specificity(self) -> float:
        """Share of the others that are not called positive."""
        return _share(self.true_negative, self.true_negative + self.false_positive)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.precision * self.recall, self.precision + self.recall)

    @property
    def geometric_mean(self) -> float:
        """Geometric mean of recall and specificity."""
        return sqrt(self.recall * self.specificity)

    @property
    def iba(self) -> float:
        """Index of balanced accuracy of the squared geometric mean."""
        dominance = 1 + DOMINANCE * (self.recall - self.specificity)
        return dominance * self.recall * self.specificity


HEADERS = ("pre", "rec", "spe", "f1", "geo", "iba", "sup")
FIGURES = ("precision", "recall", "specificity", "f1", "geometric_mean", "iba")


def confusion(cells: Sequence[Cell], threshold: float) -> Confusion:
    """Known outcomes against calls, with bad as the positive label."""
    called_bad = [each for each in cells if each.pd >= threshold]
    called_good = [each for each in cells if each.pd < threshold]
    return Confusion(
        true_positive=sum(each.bad for each in called_bad),
        false_positive=sum(each.good for each in called_bad),
        true_negative=sum(each.good for each in called_good),
        false_negative=sum(each.bad for each in called_good),
    )


def report(cells: Sequence[Cell], threshold: float) -> dict[tuple[str, str], float]:
    """Every figure by its label ('good', 'bad' or 'all') and name; none with no known outcome."""
    bad = confusion(cells, threshold)
    labels, total = {"good": bad.other(), "bad": bad}, sum(bad)
    if not total:
        return {}
    found = {
        (label, name): float(getattr(each, name))
        for label, each in labels.items()
        for name in (*FIGURES, "support")
    }
    found |= {("bad", name): float(count) for name, count in bad._asdict().items()}
    for name in FIGURES:
        by_support = (found[label, name] * each.support for label, each in labels.items())
        found["all", name] = sum(by_support) / total
    found["all", "support"] = float(total)
    found["all", "accuracy"] = (bad.true_positive + bad.true_negative) / total
    found["all", "balanced_accuracy"] = (bad.recall + bad.specificity) / 2
    return found


def printed(cells: Sequence[Cell], threshold: float) -> str:
    """The report at a threshold as imbalanced-learn prints it: a line a label, and the averages."""
    found = report(cells, threshold)
    if not found:
        return "no outcome is known\n"
    good, bad, averages = (
        f"{words:>11} "
        + "".join(f" {found[label, name]:>9.2f}" for name in FIGURES)
        + f" {found[label, 'support']:>9.0f}"
        for label, words in (("good", "good"), ("bad", "bad"), ("all", "avg / total"))
    )
    head = " " * 12 + "".join(f" {each:>9}" for each in HEADERS)
    return "\n".join([head, "", good, bad, "", averages, ""])


def counted_calls(cells: Sequence[Cell], threshold: float) -> str:
    """The confusion matrix at a threshold, a line a label, with accuracy and balanced accuracy."""
    bad = confusion(cells, threshold)
    calls = {
        "is good": (bad.true_negative, bad.false_positive),
        "is bad": (bad.false_negative, bad.true_positive),
    }
    lines = [f"{'':>11}{'called good':>14}{'called bad':>14}"]
    lines += [f"{name:>11}{good:>14,}{bad:>14,}" for name, (good, bad) in calls.items()]
    right = _share(bad.true_positive + bad.true_negative, sum(bad))
    balanced = (bad.recall + bad.specificity) / 2
    return "\n".join([*lines, f"accuracy {right:.3f}, balanced accuracy {balanced:.3f}"])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
