"""The imbalanced classification report at one threshold, from score bins.

A loan is called bad where its PD is at or above the threshold. Each figure has a label that counts
as positive; 'all' is the mean of both labels, weighted by their support. As in imbalanced-learn's
classification_report_imbalanced, a share of no loans is 0.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from credit_spark.evaluation.score_bins import ScoreBin

# Weight of dominance (recall - specificity) in IBA.
# Source: Garcia, Sanchez, Mollineda (2012), On the effectiveness of preprocessing methods.
DOMINANCE = 0.1
HEADERS = ("pre", "rec", "spe", "f1", "geo", "iba", "sup")
FIGURES = {
    "precision": "TP / (TP + FP): share of the predicted positives that are positive.",
    "recall": "TP / (TP + FN): share of the positives that are predicted positive.",
    "specificity": "TN / (TN + FP): share of the negatives that are predicted negative.",
    "f1": "Harmonic mean of precision and recall.",
    "geometric_mean": "Geometric mean of recall and specificity.",
    "iba": "Index of balanced accuracy of the squared geometric mean.",
}


class Confusion(NamedTuple):
    """Loans by what they were called and what they turned out, bad as the positive label."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


def confusion(score_bins: Sequence[ScoreBin], threshold: float) -> Confusion:
    """Known outcomes against calls."""
    called_bad = [each for each in score_bins if each.pd >= threshold]
    called_good = [each for each in score_bins if each.pd < threshold]
    return Confusion(
        true_positive=sum(each.bad for each in called_bad),
        false_positive=sum(each.good for each in called_bad),
        true_negative=sum(each.good for each in called_good),
        false_negative=sum(each.bad for each in called_good),
    )


def report(score_bins: Sequence[ScoreBin], threshold: float) -> dict[tuple[str, str], float]:
    """Every figure by its label ('good', 'bad' or 'all') and name; none with no known outcome.

    Without loans of both labels, there is no balanced accuracy.
    """
    bad = confusion(score_bins, threshold)
    tp, fp, tn, fn = bad
    total = sum(bad)
    if not total:
        return {}
    labels = {"good": _figures(tn, fn, tp, fp), "bad": _figures(*bad)}
    found = {
        (label, name): value for label, own in labels.items() for name, value in own.items()
    } | {("bad", name): float(count) for name, count in bad._asdict().items()}
    for name in FIGURES:
        by_support = sum(own[name] * own["support"] for own in labels.values())
        found["all", name] = by_support / total
    found["all", "support"] = float(total)
    found["all", "accuracy"] = (tp + tn) / total
    if tp + fn and tn + fp:
        both = found["bad", "recall"] + found["bad", "specificity"]
        found["all", "balanced_accuracy"] = both / 2
    return found


def _figures(tp: int, fp: int, tn: int, fn: int) -> dict[str, float]:
    """FIGURES and the support of one positive label."""
    precision, recall, specificity = _share(tp, tp + fp), _share(tp, tp + fn), _share(tn, tn + fp)
    dominance = 1 + DOMINANCE * (recall - specificity)
    return {
        "precision": precision,
        "recall": recall,
        "specificity": specificity,
        "f1": _share(2 * precision * recall, precision + recall),
        "geometric_mean": sqrt(recall * specificity),
        "iba": dominance * recall * specificity,
        "support": float(tp + fn),
    }


def printed(score_bins: Sequence[ScoreBin], threshold: float) -> str:
    """The report at a threshold as imbalanced-learn prints it: a line a label, and the averages."""
    found = report(score_bins, threshold)
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


def counted_calls(score_bins: Sequence[ScoreBin], threshold: float) -> str:
    """The confusion matrix at a threshold, a line a label, with accuracy and balanced accuracy."""
    tp, fp, tn, fn = confusion(score_bins, threshold)
    found = report(score_bins, threshold)
    names = ("accuracy", "balanced_accuracy")
    right, balanced = (
        f"{found['all', name]:.3f}" if ("all", name) in found else "unknown" for name in names
    )
    return "\n".join([
        f"{'':>11}{'called good':>14}{'called bad':>14}",
        f"{'is good':>11}{tn:>14,}{fp:>14,}",
        f"{'is bad':>11}{fn:>14,}{tp:>14,}",
        f"accuracy {right}, balanced accuracy {balanced}",
    ])  # fmt: skip


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
