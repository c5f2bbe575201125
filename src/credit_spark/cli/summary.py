"""The summary of a run, for a person: a few lines a step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any

from rich.console import Console

Facts = Mapping[str, Any]
Line = tuple[str, str]
RANKED = "KS {ks:.3f}, AUC {auc:.3f}"
IN_FOLDS = "KS {ks_mean:.3f} ± {ks_sd:.3f}, AUC {auc_mean:.3f} ± {auc_sd:.3f}"
# The lines of each step: a heading, and words with the names of facts.
SUMMARY_LINES: Mapping[str, Sequence[Line]] = {
    "clean": [
        ("records read", "{read:>9,}  in {files} file(s)"),
        ("accepted", "{accepted:>9,}"),
        ("superseded", "{superseded:>9,}  by a newer record with the same key"),
        ("quarantined", "{quarantined:>9,}"),
    ],
    "train": [
        ("model", "{model_version}, {imbalance}"),
        ("trained on", "{rows:,} loans, {bad:,} of them bad"),
    ],
    "promote": [("champion", "{model_version}")],
    "kept": [("champion", "{model_version} stays: {why}")],
    "score": [
        ("scored", "{rows:>9,}  by model {model_version}"),
        ("decisions", "{approve:.1%} approve, {review:.1%} review, {decline:.1%} decline"),
    ],
    "reporting": [("not written", "--metrics-file or --lineage ({failed}; the log has the trace)")],
}


class _Unknown(Formatter):
    """Formats as a text does itself; what is not known is 'unknown'."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        return "unknown" if value is None else super().format_field(value, format_spec)


def filled(words: str, facts: Facts) -> str:
    """A text with facts at their names' places."""
    return _Unknown().vformat(words, (), facts)


def print_summary(console: Console, about: Facts, summary: Mapping[str, Facts]) -> None:
    """Print a command's summary."""
    console.print(f"{about['portfolio']}, batch of {about['as_of']}", style="bold")
    lines: list[Line] = []
    for step, facts in summary.items():
        lines += [(name, filled(words, facts)) for name, words in SUMMARY_LINES.get(step, ())]
        lines += EXTRA_LINES[step](facts) if step in EXTRA_LINES else ()
    for name, text in [*lines, ("tables", about["tables"])]:
        console.print(f"  {name:<18}{text}", soft_wrap=True, markup=False)


def _under(heading: str, texts: Iterable[str]) -> list[Line]:
    """Lines of which the first has a heading."""
    return [("" if nth else heading, text) for nth, text in enumerate(texts)]


def _expectations(facts: Facts) -> list[Line]:
    if "missing" in facts:
        return [("expectations", f"none: there is no suite at {facts['missing']}")]
    failed = len(facts["failed"])
    return [("expectations", f"{failed} failed" if failed else "all hold")]


def _train(facts: Facts) -> list[Line]:
    lines = []
    if facts["immature"]:
        words = "{immature:,} more with a known outcome, in neither training nor test"
        lines.append(("immature", filled(words, facts)))
    lines.append(("cross-validation", filled(IN_FOLDS, facts["cv"])))
    if facts["elastic_net"]:
        lines.append(("penalty", filled("{regularisation:g}, {elastic_net:.0%} L1", facts)))
    if later := facts.get("out_of_time"):
        words = f"{RANKED}, mean PD over observed {{mean_pd_over_observed:.3f}}"
        lines.append(("out of time", filled(words, later)))
    if facts["left_out"]:
        names = ", ".join(facts["left_out"])
        lines.append(("left out", f"{names} (the training's report says why)"))
    lines += [("gate failed", gate) for gate in facts["failed_gates"]]
    lines += _under("look at", facts["remarks"])
    fits, others = facts["strategies"], facts["benchmarks"]
    lines += _side_by_side([*fits, *others]) if len(fits) + len(others) > 1 else []
    alone = "{imbalance}: KS {random_split[ks]:.3f}, AUC {random_split[auc]:.3f}"
    folds = "KS {cv[ks_mean]:.3f}, AUC {cv[auc_mean]:.3f}"
    words = f"{alone} on a random quarter; in the folds {folds}"
    lines += [("random split", filled(words, fit)) for fit in fits if "random_split" in fit]
    for fit in fits:
        for report in fit.get("reports", ()):
            text = "{threshold}\n{report}\n{confusion}\n\n".format(**report)
            lines += _under(fit["imbalance"], text.splitlines())
    return lines


# Of the folds, of later loans (`latest`: of the folds where there are none), of the fit's own.
COLUMNS: Mapping[str, str] = {
    "KS in folds": "{cv[ks_mean]:.3f} ± {cv[ks_sd]:.3f}",
    "AUC in folds": "{cv[auc_mean]:.3f} ± {cv[auc_sd]:.3f}",
    "KS, later": "{later[ks]:.3f}",
    "AUC, later": "{later[auc]:.3f}",
    "PD / observed": "{latest[mean_pd_over_observed]:.3f}",
    "ECE": "{latest[ece_before]:.3f} > {latest[ece]:.3f}",
    "accuracy": "{train[accuracy]:.3f} > {cv[accuracy]:.3f}",
}


def _side_by_side(fits: Sequence[Facts]) -> list[Line]:
    """One line per imbalance strategy or benchmark: all were tested on the same loans.

    ECE is that before and after calibration, accuracy that of the fit's own loans and in the folds.
    """
    lines = [" " * 14 + "".join(f"{name:>16}" for name in COLUMNS)]
    for fit in fits:
        name, later = fit.get("name", fit.get("imbalance", "")), fit.get("out_of_time")
        known = {**fit, "later": later or {"ks": None, "auc": None}, "latest": later or fit["cv"]}
        figures = "".join(f"{filled(words, known):>16}" for words in COLUMNS.values())
        lines.append(f"{name:<14}{figures}  {fit.get('model_version', '')}")
    return _under("side by side", lines)


def _measure(facts: Facts) -> list[Line]:
    if facts["ks"] is None:
        return [("performance", "not enough known outcomes to measure")]
    months = facts["old_enough"]
    old = f" of loans at least {months} months old" if months else ""
    known = f"{{known_outcomes:,}} known outcomes{old}, including the training loans"
    lines = [
        ("performance", filled(f"{RANKED} on {known}", facts)),
        ("", filled("mean PD {mean_pd:.3f}, observed {observed_rate:.3f}", facts)),
    ]
    if shadow := facts.get("shadow"):
        words = f"{RANKED}, mean PD {{mean_pd:.3f}} by {{model_version}}"
        only = (
            "approved by the champion only {approved_by=champion[loans]:,}, by the challenger only "
            "{approved_by=challenger[loans]:,}"
        )
        lines += [("challenger", filled(words, shadow)), ("", filled(only, shadow))]
    return lines


def _monitor(facts: Facts) -> list[Line]:
    calm = "{figures} figures are as the model expects"
    if not facts["figures"]:
        calm = "not enough data to compare the batch with the training data"
    words = calm if facts["status"] == "stable" else "{status}: {act} to act on, {watch} to watch"
    lines = [("drift", filled(words, facts)), *[("", each) for each in facts["changed"]]]
    if facts["act"]:
        lines.append(("retrain" if facts["retrain"] else "no retraining", facts["why"]))
    if facts["moved"]:
        words = (
            "{by_inputs:+.1f} by their data, {by_model:+.1f} by the model, on average, on "
            "{loans:,} loans of {previous_as_of}"
        )
        lines.append(("score changes", filled(words, facts["moved"])))
    return lines


def _report(name: str) -> Callable[[Facts], list[Line]]:
    failed = "could not be made (the log has the trace); run 'credit-spark report'"
    return lambda facts: [(name, facts["file"] or failed)]


# What depends on the facts, in lines of its own.
EXTRA_LINES: Mapping[str, Callable[[Facts], list[Line]]] = {
    "clean": lambda facts: [
        *_under("by reason", [f"{rows:>9,}  {rule}" for rule, rows in facts["reasons"].items()]),
        *_under("look at", facts["remarks"]),
    ],
    "validate loans": _expectations,
    "train": _train,
    "promote": lambda facts: [
        ("overruled", f"{gate}; why is kept in models") for gate in facts["overruled"]
    ],
    "measure": _measure,
    "monitor": _monitor,
    "report of train": _report("training's report"),
    "report of measure": _report("report"),
}
