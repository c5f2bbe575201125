"""What a command came to, for a person: a few lines a step."""

from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from types import MappingProxyType
from typing import Any

from rich.console import Console

Facts = Mapping[str, Any]
RANKED = "KS {ks:.3f}, AUC {auc:.3f}"
IN_FOLDS = "KS {ks_mean:.3f} ± {ks_sd:.3f}, AUC {auc_mean:.3f} ± {auc_sd:.3f}"


class _Unknown(Formatter):
    """Formats as a text does itself; what is not known is 'unknown'."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        return "unknown" if value is None else super().format_field(value, format_spec)


def say(words: str, facts: Facts) -> str:
    """A text with facts at their names' places."""
    return _Unknown().vformat(words, (), facts)


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
    by_reason = "  by reason:" if reasons else ""
    return [
        ("lines read", say("{read:>9,}  in {files} file(s)", facts)),
        ("accepted", say("{accepted:>9,}", facts)),
        ("superseded", say("{superseded:>9,}  by a newer line with the same key", facts)),
        ("quarantined", say("{quarantined:>9,}", facts) + by_reason),
        *reasons,
    ]


def _expectations(facts: Facts) -> list[Line]:
    if "missing" in facts:
        return [("expectations", f"none: there is no suite at {facts['missing']}")]
    failed = len(facts["failed"])
    return [("expectations", f"{failed} failed" if failed else "all hold")]


def _train(facts: Facts) -> list[Line]:
    lines = [
        ("model", say("{model_version}, {treatment}", facts)),
        ("trained on", say("{rows:,} loans, {bad:,} of them bad", facts)),
        ("cross-validation", say(IN_FOLDS, facts["cv"])),
    ]
    if facts["elastic_net"]:
        lines.append(("penalty", say("{regularisation:g}, {elastic_net:.0%} L1", facts)))
    if later := facts.get("out_of_time"):
        words = f"{RANKED}, mean PD over observed {{mean_pd_over_observed:.3f}}"
        lines.append(("out of time", say(words, later)))
    if facts["left_out"]:
        names = ", ".join(facts["left_out"])
        lines.append(("left out", f"{names} (why stands in the training's report)"))
    lines += [("gate failed", gate) for gate in facts["failed_gates"]]
    lines += [("look at" if not nth else "", each) for nth, each in enumerate(facts["remarks"])]
    fits, others = facts["treatments"], facts["benchmarks"]
    lines += _side_by_side([*fits, *others]) if len(fits) + len(others) > 1 else []
    lines += [("random split", _random_split(fit)) for fit in fits if "random_split" in fit]
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


def _random_split(fit: Facts) -> str:
    """How much better a random quarter looks than the folds."""
    alone, folds = (
        say(RANKED, fit["random_split"]),
        say("KS {ks_mean:.3f}, AUC {auc_mean:.3f}", fit["cv"]),
    )
    return f"{fit['treatment']}: {alone} on a random quarter; in the folds {folds}"


# Headings, and figures of the folds, of later loans (`latest`: of the folds where nothing is known
# of later), and of the fit's own loans.
COLUMNS = MappingProxyType({
    "KS in folds": "{cv[ks_mean]:.3f} ± {cv[ks_sd]:.3f}",
    "AUC in folds": "{cv[auc_mean]:.3f} ± {cv[auc_sd]:.3f}",
    "KS, later": "{later[ks]:.3f}",
    "AUC, later": "{later[auc]:.3f}",
    "PD / observed": "{latest[mean_pd_over_observed]:.3f}",
    "ECE": "{latest[ece_before]:.3f} > {latest[ece]:.3f}",
    "accuracy": "{train[accuracy]:.3f} > {cv[accuracy]:.3f}",
})  # fmt: skip
FIGURE_WIDTH, NAME_WIDTH = 16, 14


def _side_by_side(fits: Sequence[Facts]) -> list[Line]:
    """A line a treatment or benchmark: all were tested on the same loans.

    PD over observed, and the expected calibration error before and after calibration, are those of
    the latest loans. Accuracy at even odds is that on the loans that were learnt from, then that
    in the folds.
    """
    head = "".join(f"{name:>{FIGURE_WIDTH}}" for name in COLUMNS)
    lines = [("side by side", f"{'':<{NAME_WIDTH}}{head}")]
    for fit in fits:
        name, later = fit.get("name", fit.get("treatment", "")), fit.get("out_of_time")
        known = {**fit, "later": later or {"ks": None, "auc": None}, "latest": later or fit["cv"]}
        figures = "".join(f"{say(words, known):>{FIGURE_WIDTH}}" for words in COLUMNS.values())
        lines.append(("", f"{name:<{NAME_WIDTH}}{figures}  {fit.get('model_version', '')}"))
    return lines


def _promote(facts: Facts) -> list[Line]:
    lines = [("champion", facts["model_version"])]
    return lines + [("overruled", f"{gate}; why is kept in models") for gate in facts["overruled"]]


def _score(facts: Facts) -> list[Line]:
    shares = "{approve:.1%} approve, {review:.1%} review, {decline:.1%} decline"
    return [
        ("scored", say("{rows:>9,}  by model {model_version}", facts)),
        ("decisions", say(shares, facts)),
    ]


def _measure(facts: Facts) -> list[Line]:
    if facts["ks"] is None:
        return [("tonight", "not enough known outcomes to measure")]
    months = facts["old_enough"]
    old = f" of loans {months} months old at least" if months else ""
    known = (
        f"{facts['known_outcomes']:,} known outcomes{old}, the model's training loans among them"
    )
    lines = [
        ("tonight", f"{say(RANKED, facts)} on {known}"),
        ("", say("mean PD {mean_pd:.3f}, observed {observed_rate:.3f}", facts)),
    ]
    if shadow := facts.get("shadow"):
        words = f"{RANKED}, mean PD {{mean_pd:.3f}} by the challenger {{model_version}}"
        only = (
            "approved by the champion only {approved_by=champion[loans]:,}, by the challenger only "
            "{approved_by=challenger[loans]:,}"
        )
        lines += [("in the shadow", say(words, shadow)), ("", say(only, shadow))]
    return lines


def _monitor(facts: Facts) -> list[Line]:
    calm = f"{facts['figures']} figures are as the model expects"
    counts = f"{facts['act']} to act on, {facts['watch']} to watch"
    if not facts["figures"]:
        calm = "not enough data to hold the night against what the model learnt from"
    lines = [("drift", calm if facts["status"] == "stable" else f"{facts['status']}: {counts}")]
    lines += [("", each) for each in facts["changed"]]
    if facts["act"]:
        lines.append(("retrain" if facts["retrain"] else "no retraining", facts["why"]))
    if facts["moved"]:
        words = (
            "{by_inputs:+.1f} by their data, {by_model:+.1f} by the model, on average, on "
            "{loans:,} loans of {since}"
        )
        lines.append(("points moved", say(words, facts["moved"])))
    return lines


def _report(name: str, facts: Facts) -> list[Line]:
    failed = "could not be made (the log has the trace); run 'credit-spark report'"
    return [(name, facts["file"] or failed)]


LINES: Mapping[str, Callable[[Facts], list[Line]]] = {
    "clean": _clean,
    "validate loans": _expectations,
    "train": _train,
    "promote": _promote,
    "kept": lambda facts: [
        ("champion", say("{model_version} stays: no new fit passed its gates", facts))
    ],
    "score": _score,
    "measure": _measure,
    "monitor": _monitor,
    "report of train": lambda facts: _report("training's report", facts),
    "report of measure": lambda facts: _report("report", facts),
    "told": lambda facts: [
        ("not told", say("--metrics-file or --lineage ({failed}; the log has the trace)", facts))
    ],
}
