"""What a model reads: the features of its contract, and the columns that they rest on.

A model is valid for these inputs only. They are kept with it, so that a contract that has changed
since is refused, and not scored with other inputs.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from pydantic import Field

from credit_spark.config.expressions import expression
from credit_spark.config.models import Contract, ContractColumn, FrozenModel, Layout, Unit

# What else a column may hold, and what becomes of it; headers and formats are only ways to read it.
MEANING = {"kind", "range", "one_of", "missing", "codes", "unknown_codes", "pivot", "outside"}
# What files have where their layout gives no unit.
USUAL: Mapping[str, Unit] = {"rate": "fraction", "money": "yearly"}


class Inputs(FrozenModel):
    """Compiled SQL by feature; by column its meaning; by column and layout its unit.

    `missing` are by layout the texts that mean unknown; a fit of an earlier version has none.
    """

    features: dict[str, str]
    columns: dict[str, dict[str, Any]]
    units: dict[str, dict[str, str]]
    missing: dict[str, list[str]] = Field(default_factory=dict)


def inputs_of(contract: Contract) -> Inputs:
    """The inputs of a model that is fitted by a contract."""
    compiled = {
        name: expression(each.sql, contract.kinds) for name, each in contract.features.items()
    }
    read = sorted(frozenset[str]().union(*[each.columns for each in compiled.values()]))
    layouts = contract.source.layouts
    return Inputs(
        features={name: each.sql for name, each in compiled.items()},
        columns={name: _meaning(contract.columns[name]) for name in read},
        units={
            name: {layout: _unit(contract, name, each) for layout, each in layouts.items()}
            for name in read
        },
        missing={name: sorted(each.missing) for name, each in layouts.items()},
    )


def differences(fitted: Inputs, contract: Contract) -> list[str]:
    """What differs between the inputs of a fit and a contract, a sentence each; none: it fits.

    A layout that only one of them has is no difference: its unit says how its files are read.
    """
    now = inputs_of(contract)
    return [
        *_changed("features", fitted.features, now.features),
        *(
            change
            for name, then in fitted.columns.items()
            if name in now.columns
            for change in _changed(f"columns.{name}", then, _kept(then, now.columns[name]))
        ),
        *(
            f"source.layouts.{layout}.missing: it was {then}, now it is {now.missing[layout]}"
            for layout, then in fitted.missing.items()
            if layout in now.missing and now.missing[layout] != then
        ),
        *(
            f"source.layouts.{layout}.units.{name}: it was {unit or 'not given'}, "
            f"now it is {now.units[name][layout] or 'not given'}"
            for name, units in fitted.units.items()
            if name in now.units
            for layout, unit in units.items()
            if layout in now.units[name] and now.units[name][layout] != unit
        ),
    ]


def _kept(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a column that a fit has kept, too: an earlier version did not keep every key."""
    return {key: value for key, value in now.items() if key in then}


def _changed(path: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*then, *now]):
        if name not in now:
            yield f"{path}.{name}: the model was fitted with it, the contract lacks it"
        elif name not in then:
            yield f"{path}.{name}: the model was fitted without it"
        elif then[name] != now[name]:
            yield f"{path}.{name}: it was {then[name]}, now it is {now[name]}"


def _meaning(spec: ContractColumn) -> dict[str, Any]:
    found = spec.model_dump(mode="json", include=MEANING)
    if spec.range:
        # JSON has no infinity.
        found["range"] = [each if isfinite(each) else str(each) for each in spec.range]
    return {**found, "missing": sorted(spec.missing)}


def _unit(contract: Contract, name: str, layout: Layout) -> str:
    return str(layout.units.get(name) or USUAL.get(contract.columns[name].kind) or "")
