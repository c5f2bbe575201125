"""The schema of a Delta table: its creation, and its evolution when the declaration changes.

A `Table` declares columns, keys and constraints. An existing table is compared with it: what is
new is added, what is no longer declared stays, and a changed type or meaning is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField
from sqlglot import exp

from credit_spark.config.errors import InputError, listed
from credit_spark.config.tables import AS_OF, RUN_ID, ColumnSpec, Table

ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<date>": pa.list_(pa.date32()),
}
CONSTRAINT = "delta.constraints."
# The kind of a contract's column: in Delta a rate and an amount of money have the same type.
KIND = "credit_spark.kind."
# Most of a look at a table is planning.
PARALLEL_LOOKS = 4
WORD = re.compile(r"\w+")
# Delta keeps no bounds of these types.
WITHOUT_BOUNDS = ("array", "map", "struct")


def all_columns(table: Table) -> dict[str, ColumnSpec]:
    """The declared columns, and those that are added to every row: `as_of` and `run_id`."""
    added = {"as_of": AS_OF} if table.is_partitioned else {}
    return {**table.columns, **added, "run_id": RUN_ID}


def arrow_schema(columns: Mapping[str, ColumnSpec]) -> pa.Schema:
    """Columns with their types in Arrow."""
    return pa.schema([(name, ARROW_TYPES[field.type]) for name, field in columns.items()])


def create(spark: SparkSession, path: str, table: Table) -> None:
    """Create a table with columns, comments and constraints; an existing table stays as it is.

    Constraints are given as properties: one commit, where ALTER TABLE makes one for each.
    """
    builder = DeltaTable.createIfNotExists(spark).location(path).comment(table.grain)
    required = _required(table)
    for name, field in all_columns(table).items():
        nullable = name not in required
        builder = builder.addColumn(name, field.type, nullable=nullable, comment=field.meaning)
    for key, value in properties(table).items():
        builder = builder.property(key, value)
    if table.is_partitioned:
        builder = builder.partitionedBy("as_of")
    builder.execute()


def check(tables: Iterable["ExistingTable"]) -> None:
    """Make sure that existing tables can take their declarations.

    Raises:
        InputError: with every difference that they cannot take.
    """
    with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
        refused = [fault for own in threads.map(ExistingTable.refused, tables) for fault in own]
    if refused:
        headline = (
            "the tables cannot take this contract, and nothing was changed; give a changed column "
            "another name"
        )
        raise InputError(listed(headline, refused))


class ExistingTable:
    """A Delta table that may differ from its declaration."""

    def __init__(self, spark: SparkSession, path: str, table: Table) -> None:
        self.name = table.name
        self._spark, self._table = spark, table
        self._path = f"delta.`{path.replace('`', '``')}`"
        self._rows = spark.read.format("delta").load(path)
        self._found: Mapping[str, StructField] = {each.name: each for each in self._rows.schema}
        self._new = {
            name: field for name, field in all_columns(table).items() if name not in self._found
        }

    @property
    def has_former_columns(self) -> bool:
        """Whether a column has the name that an earlier version gave it."""
        return bool(self._table.renames.columns.keys() & self._found.keys())

    @cached_property
    def _properties(self) -> dict[str, str]:
        found = self._spark.sql(f"SHOW TBLPROPERTIES {self._path}").collect()
        return {row["key"]: row["value"] for row in found}

    @cached_property
    def _new_constraints(self) -> dict[str, str]:
        # ALTER TABLE writes a condition's words apart: `in ( 'good' , 'bad' )`.
        kept = {key.lower(): "".join(text.split()) for key, text in self._properties.items()}
        return {
            name: check
            for name, check in self._table.checks.items()
            if kept.get(f"{CONSTRAINT}{name}".lower()) != "".join(check.split())
        }

    def refused(self) -> list[str]:
        """The differences that would change what existing rows mean, each with the table's name."""
        faults = [*self._changed_columns()] or [*self._broken_constraints()]
        return [f"{self.name}: {fault}" for fault in faults]

    def evolve(self, *, comments: bool) -> Iterator[str]:
        """Apply the differences, and those of `comments` if requested; each is said when it is."""
        yield from self._add_columns()
        yield from self._allow_nulls()
        yield from self._drop_constraints()
        yield from self._change_constraints()
        if comments:
            yield from self._set_comments()
        self._set_properties()

    def _set_comments(self) -> Iterator[str]:
        changed = [
            f"`{name}` COMMENT {_quoted(field.meaning)}"
            for name, field in all_columns(self._table).items()
            if name in self._found and self._found[name].metadata.get("comment") != field.meaning
        ]
        if changed:
            self._alter(f"ALTER COLUMN {', '.join(changed)}")
            self._alter(f"SET TBLPROPERTIES ('comment' = {_quoted(self._table.grain)})")
            yield f"{self.name}: comments of the table and its columns"

    def _add_columns(self) -> Iterator[str]:
        """Add new columns; a key, too, is null in the rows that were there before."""
        if not self._new:
            return
        columns = ", ".join(
            f"`{name}` {field.type} COMMENT {_quoted(field.meaning)}"
            for name, field in self._new.items()
        )
        self._alter(f"ADD COLUMNS ({columns})")
        for name, field in self._new.items():
            yield f"{self.name}: new column '{name}' ({field.type}), null in earlier rows"

    def _allow_nulls(self) -> Iterator[str]:
        """Let columns be null that are no longer declared, or no longer a key."""
        required = _required(self._table)
        for name, field in self._found.items():
            if not field.nullable and name not in required:
                self._alter(f"ALTER COLUMN `{name}` DROP NOT NULL")
                yield f"{self.name}: column '{name}' may be null from now on"

    def _drop_constraints(self) -> Iterator[str]:
        """Drop constraints on columns that are null from now on, since nulls would break them."""
        gone = self._found.keys() - all_columns(self._table).keys()
        for key, check in self._properties.items():
            name = key.removeprefix(CONSTRAINT)
            if key != name and name not in self._table.checks and gone & {*WORD.findall(check)}:
                self._alter(f"DROP CONSTRAINT IF EXISTS {name}")
                yield f"{self.name}: constraint '{name}' is dropped with its column"

    def _change_constraints(self) -> Iterator[str]:
        """Add new constraints, and replace changed ones; those of others stay."""
        for name, check in self._new_constraints.items():
            self._alter(f"DROP CONSTRAINT IF EXISTS {name}")
            self._alter(f"ADD CONSTRAINT {name} CHECK ({check})")
            yield f"{self.name}: constraint '{name}' is now '{check}'"

    def _set_properties(self) -> None:
        wanted = _properties(self._table)
        changed = {key: text for key, text in wanted.items() if self._properties.get(key) != text}
        if changed:
            pairs = ", ".join(f"{_quoted(key)} = {_quoted(text)}" for key, text in changed.items())
            self._alter(f"SET TBLPROPERTIES ({pairs})")

    def _changed_columns(self) -> Iterator[str]:
        lowered = {name.lower(): name for name in self._found}
        for name in self._new:
            if other := lowered.get(name.lower()):
                yield f"{name}: '{other}' in the table; names that differ in case only are one"
        for name, field in all_columns(self._table).items():
            there = self._found.get(name)
            if there and (type_ := there.dataType.simpleString()) != field.type:
                yield f"{name}: {type_} in the table, {field.type} in the contract"
            before = self._properties.get(f"{KIND}{name}", field.kind)
            if field.kind and before != field.kind:
                yield f"{name}: of kind {before} in the table, of kind {field.kind} in the contract"

    def _broken_constraints(self) -> Iterator[str]:
        nulls = {name: F.lit(None).cast(field.type) for name, field in self._new.items()}
        for name, check in self._new_constraints.items():
            # As Delta has it: a condition that is null is not kept.
            broken = self._rows.withColumns(nulls).where(f"not coalesce({check}, false)")
            if not broken.isEmpty():
                yield f"{name}: rows of the table break '{check}'"

    def _alter(self, change: str) -> None:
        self._spark.sql(f"ALTER TABLE {self._path} {change}")


def _required(table: Table) -> set[str]:
    """The columns that are NOT NULL in a new table."""
    return {*table.keys, "run_id"} | ({"as_of"} if table.is_partitioned else set())


def properties(table: Table) -> dict[str, str]:
    """The properties of a new table, its constraints among them."""
    constraints = {f"{CONSTRAINT}{name}": check for name, check in table.checks.items()}
    return _properties(table) | constraints


def not_null(table: Table) -> dict[str, str]:
    """Constraints by which the keys of a table are never null, as its properties."""
    names = sorted(_required(table))
    return {f"{CONSTRAINT}{name}_is_not_null": f"{name} is not null" for name in names}


def _properties(table: Table) -> dict[str, str]:
    """The properties of a table, its constraints apart."""
    filtered = table.filtered_by or table.keys
    bounded = [name for name in filtered if not table.columns[name].type.startswith(WITHOUT_BOUNDS)]
    kinds = {f"{KIND}{name}": field.kind for name, field in table.columns.items() if field.kind}
    return {
        # Readers without Spark do not all know deletion vectors.
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(bounded),
        **kinds,
    }


def _quoted(text: str) -> str:
    return str(exp.Literal.string(text).sql(dialect="spark"))
