"""What a command came to, for a person: a few lines a step."""

from collections.abc import Callable, Mapping, Sequence
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
    if later:
        text = f"KS {_3(later['ks'])}, AUC {_3(later['auc'])}, "
        ratio = f"mean PD over observed {_3(later['mean_pd_over_observed'])}"
        lines.append(("out of time", text + ratio))
    if facts["left_out"]:
        lines.append(
            ("left out", f"{', '.join(facts['left_out'])} (hardly a value, or one for all)")
        )
    lines += [("gate failed", gate) for gate in facts["failed_gates"]]
    fits = facts["treatments"]
    lines += _treatments(fits) if len(fits) > 1 else []
    return lines + [line for fit in fits for line in _reports(fit)]


def _reports(fit: Facts) -> list[Line]:
    """The classification reports of a fit, where they were asked for."""
    return [
        ("" if nth else fit["treatment"], text)
        for report in fit.get("reports", ())
        for nth, text in enumerate([report["threshold"], *report["report"].splitlines()])
    ]


def _treatments(fits: Sequence[Facts]) -> list[Line]:
    """A line a treatment, side by side: all were tested on the same loans.

    PD over observed is that of the later loans, or of the folds where nothing is known of later.
    """
    head = f"{'KS in folds':>15}{'AUC in folds':>16}{'KS, later':>12}{'AUC, later':>12}"
    lines = [("treatments", f"{'':<14}{head}{'PD / observed':>15}  model")]
    for fit in fits:
        cv, later = fit["cv"], fit.get("out_of_time", {})
        figures = "".join([
            f"{_3(cv['ks_mean']):>7} ± {_3(cv['ks_sd'])}",
            f"{_3(cv['auc_mean']):>8} ± {_3(cv['auc_sd'])}",
            f"{_3(later.get('ks')):>12}{_3(later.get('auc')):>12}",
            f"{_3(later.get('mean_pd_over_observed', cv['mean_pd_over_observed'])):>15}",
        ])  # fmt: skip
        lines.append(("", f"{fit['treatment']:<14}{figures}  {fit['model_version']}"))
    return lines


def _promote(facts: Facts) -> list[Line]:
    return [("champion", facts["model_version"])]


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
    return [
        (
            "tonight",
            f"KS {_3(facts['ks'])}, AUC {_3(facts['auc'])} on {facts['known_outcomes']:,} known "
            "outcomes, the model's training loans among them",
        ),
        ("", f"mean PD {_3(facts['mean_pd'])}, observed {_3(facts['observed_rate'])}"),
    ]


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
}
