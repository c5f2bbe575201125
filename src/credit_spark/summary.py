"""What a command came to, for a person: a few lines a step."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from rich.console import Console

Facts = Mapping[str, Any]


def for_person(console: Console, about: Facts, summary: Mapping[str, Facts]) -> None:
    """Print a command's summary."""
    console.print(f"{about['portfolio']}, night of {about['as_of']}", style="bold")
    for step, facts in summary.items():
        for name, text in LINES[step](facts) if step in LINES else ():
            console.print(f"  {name:<18}{text}", soft_wrap=True, markup=False)
    console.print(f"  {'tables':<18}{about['tables']}", soft_wrap=True, markup=False)


Line = tuple[str, str]


def _clean(facts: Facts) -> list[Line]:
    reasons = [("", f"{rows:>9,}  {rule}") for rule, rows in facts["reasons"].items()]
    return [
        ("lines read", f"{facts['read']:>9,}  in {facts['files']} file(s)"),
        ("accepted", f"{facts['accepted']:>9,}"),
        ("superseded", f"{facts['superseded']:>9,}  by a newer line with the same key"),
        ("quarantined", f"{facts['quarantined']:>9,}" + ("  by reason:" if reasons else "")),
        *reasons,
    ]


def _expectations(facts: Facts) -> list[Line]:
    if "missing" in facts:
        return [("expectations", f"none: there is no suite at {facts['missing']}")]
    failed = len(facts["failed"])
    return [("expectations", f"{failed} failed" if failed else "all hold")]


def _train(facts: Facts) -> list[Line]:
    cv, later = facts["cv"], facts.get("out_of_time")
    lines = [
        ("model", f"{facts['model_version']}, {facts['treatment']}"),
        ("trained on", f"{facts['rows']:,} loans, {facts['bad']:,} of them bad"),
        (
            "cross-validation",
            f"KS {_3(cv['ks_mean'])} ± {_3(cv['ks_sd'])}, "
            f"AUC {_3(cv['auc_mean'])} ± {_3(cv['auc_sd'])}",
        ),
    ]
    if facts["elastic_net"]:
        lines.append(("penalty", f"{facts['regularisation']:g}, {facts['elastic_net']:.0%} L1"))
    if later:
        text = f"KS {_3(later['ks'])}, AUC {_3(later['auc'])}, "
        ratio = f"mean PD over observed {_3(later['mean_pd_over_observed'])}"
        lines.append(("out of time", text + ratio))
    if facts["left_out"]:
        lines.append(
            ("left out", f"{', '.join(facts['left_out'])} (why stands in the training's report)")
        )
    lines += [("gate failed", gate) for gate in facts["failed_gates"]]
    lines += [("look at" if not nth else "", each) for nth, each in enumerate(facts["remarks"])]
    fits, others = facts["treatments"], facts["benchmarks"]
    lines += _side_by_side([*fits, *others]) if len(fits) + len(others) > 1 else []
    lines += [("random split", text) for text in _random_splits(fits)]
    return lines + [line for fit in fits for line in _reports(fit)]


def _reports(fit: Facts) -> list[Line]:
    """The classification reports and confusion matrices of a fit, where they were asked for."""
    return [
        ("" if nth else fit["treatment"], text)
        for report in fit.get("reports", ())
        for nth, text in enumerate([
            report["threshold"], *report["report"].splitlines(), "",
            *report["confusion"].splitlines(), "",
        ])
    ]  # fmt: skip


def _random_splits(fits: Sequence[Facts]) -> list[str]:
    """How much better a random quarter looks than the folds, where it was asked for."""
    return [
        f"{fit['treatment']}: KS {_3(fit['random_split']['ks'])}, AUC "
        f"{_3(fit['random_split']['auc'])} on a random quarter; in the folds KS "
        f"{_3(fit['cv']['ks_mean'])}, AUC {_3(fit['cv']['auc_mean'])}"
        for fit in fits
        if "random_split" in fit
    ]


# Width and how to find it: figures of the folds, of later loans, of the fit's own loans.
COLUMNS: Mapping[str, Callable[[Facts], str]] = MappingProxyType({
    "KS in folds": lambda fit: f"{_3(fit['cv']['ks_mean'])} ± {_3(fit['cv']['ks_sd'])}",
    "AUC in folds": lambda fit: f"{_3(fit['cv']['auc_mean'])} ± {_3(fit['cv']['auc_sd'])}",
    "KS, later": lambda fit: _3(fit.get("out_of_time", {}).get("ks")),
    "AUC, later": lambda fit: _3(fit.get("out_of_time", {}).get("auc")),
    "PD / observed": lambda fit: _3(_latest(fit)["mean_pd_over_observed"]),
    "ECE": lambda fit: f"{_3(_latest(fit)['ece_before'])} > {_3(_latest(fit)['ece'])}",
    "accuracy": lambda fit: f"{_3(fit['train']['accuracy'])} > {_3(fit['cv']['accuracy'])}",
})  # fmt: skip
FIGURE_WIDTH, NAME_WIDTH = 16, 14


def _side_by_side(fits: Sequence[Facts]) -> list[Line]:
    """A line a treatment or benchmark: all were tested on the same loans.

    PD over observed, and the expected calibration error before and after calibration, are those of
    the later loans, or of the folds where nothing is known of later. Accuracy at even odds is that
    on the loans that were learnt from, then that in the folds.
    """
    head = "".join(f"{name:>{FIGURE_WIDTH}}" for name in COLUMNS)
    lines = [("side by side", f"{'':<{NAME_WIDTH}}{head}")]
    for fit in fits:
        name = fit.get("name", fit.get("treatment", ""))
        figures = "".join(f"{show(fit):>{FIGURE_WIDTH}}" for show in COLUMNS.values())
        lines.append(("", f"{name:<{NAME_WIDTH}}{figures}  {fit.get('model_version', '')}"))
    return lines


def _latest(fit: Facts) -> Facts:
    found: Facts = fit.get("out_of_time", fit["cv"])
    return found


def _promote(facts: Facts) -> list[Line]:
    lines = [("champion", facts["model_version"])]
    return lines + [("overruled", f"{gate}; why is kept in models") for gate in facts["overruled"]]


def _kept(facts: Facts) -> list[Line]:
    return [("champion", f"{facts['model_version']} stays: no new fit passed its gates")]


def _score(facts: Facts) -> list[Line]:
    shares = ", ".join(f"{facts[name]:.1%} {name}" for name in ("approve", "review", "decline"))
    return [
        ("scored", f"{facts['rows']:>9,}  by model {facts['model_version']}"),
        ("decisions", shares),
    ]


def _measure(facts: Facts) -> list[Line]:
    if facts["ks"] is None:
        return [("tonight", "not enough known outcomes to measure")]
    months = facts["old_enough"]
    old = f" of loans {months} months old at least" if months else ""
    return [
        (
            "tonight",
            f"KS {_3(facts['ks'])}, AUC {_3(facts['auc'])} on {facts['known_outcomes']:,} known "
            f"outcomes{old}, the model's training loans among them",
        ),
        ("", f"mean PD {_3(facts['mean_pd'])}, observed {_3(facts['observed_rate'])}"),
        *(_shadow(facts["shadow"]) if "shadow" in facts else ()),
    ]


def _shadow(facts: Facts) -> list[Line]:
    """The challenger on the same loans, and whom only one of both approves."""
    only = {name: facts[f"approved_by={name}"]["loans"] for name in ("champion", "challenger")}
    return [
        (
            "in the shadow",
            f"KS {_3(facts['ks'])}, AUC {_3(facts['auc'])}, mean PD {_3(facts['mean_pd'])} by the "
            f"challenger {facts['model_version']}",
        ),
        (
            "",
            f"approved by the champion only {only['champion']:,}, by the challenger only "
            f"{only['challenger']:,}",
        ),
    ]


def _monitor(facts: Facts) -> list[Line]:
    calm = f"{facts['figures']} figures are as the model expects"
    counts = f"{facts['act']} to act on, {facts['watch']} to watch"
    if not facts["figures"]:
        calm = "not enough data to hold the night against what the model learnt from"
    lines = [("drift", calm if facts["status"] == "stable" else f"{facts['status']}: {counts}")]
    lines += [("", each) for each in facts["changed"]]
    if facts["act"]:
        lines.append(("retrain" if facts["retrain"] else "no retraining", facts["why"]))
    if moved := facts["moved"]:
        text = (
            f"{moved['by_inputs']:+.1f} by their data, {moved['by_model']:+.1f} by the model, on "
            f"average, on {moved['loans']:,} loans of {moved['since']}"
        )
        lines.append(("points moved", text))
    return lines


def _report(facts: Facts, name: str = "report") -> list[Line]:
    if facts["file"] is None:
        return [(name, "could not be made (the log has the trace); run 'credit-spark report'")]
    return [(name, facts["file"])]


def _told(facts: Facts) -> list[Line]:
    return [("not told", f"--metrics-file or --lineage ({facts['failed']}; the log has the trace)")]


def _3(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


LINES: Mapping[str, Callable[[Facts], list[Line]]] = {
    "clean": _clean,
    "validate loans": _expectations,
    "train": _train,
    "promote": _promote,
    "kept": _kept,
    "score": _score,
    "measure": _measure,
    "monitor": _monitor,
    "report of train": partial(_report, name="training's report"),
    "report of measure": _report,
    "told": _told,
}
