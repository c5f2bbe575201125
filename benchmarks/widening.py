"""Sample files made as wide as the lender's own: further columns that no contract asks for.

In comes a file of the sample; it goes out with more columns, of numbers, texts, blanks and days,
its preamble, its totals and its line cut short as they were.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

COLUMNS = 151
POOL = 1000
MONTHS = ("Jan", "Apr", "Jul", "Aug", "Dec")
WORDS = ("Teacher", "RN, nights", 'Owner of "Deli"', "Driver", "Loan payoff", "Individual", "w")


def widen(file: Path, nth: int) -> None:
    """Write the file anew with 151 columns; its number is the seed of what is added."""
    lines, above, odd = read(file)
    draw = np.random.default_rng([COLUMNS, nth])
    for column in range(lines.num_columns, COLUMNS):
        values = pool(draw, column).take(pa.array(draw.integers(0, POOL, lines.num_rows)))
        lines = lines.append_column(f"further_{column}", values)
    with file.open("wb") as out:
        out.write(above)
        csv.write_csv(lines, out, csv.WriteOptions(quoting_style="needed"))
        out.write(odd)


def read(file: Path) -> tuple[pa.Table, bytes, bytes]:
    """A file's whole lines as texts, the line above its header, and the lines that are not whole."""
    odd: list[str] = []

    def set_aside(row: csv.InvalidRow) -> str:
        odd.append(row.text)
        return "skip"

    with file.open("rb") as lines:
        first = lines.readline()
    above = b"" if first.startswith(b'"id"') else first
    header = csv.open_csv(file, *_options(bool(above), set_aside)).schema.names
    texts = csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    odd.clear()
    table = csv.read_csv(file, *_options(bool(above), set_aside), texts)
    return table, above, "".join(f"{line}\n" for line in odd).encode()


def _options(has_preamble: bool, set_aside) -> tuple[csv.ReadOptions, csv.ParseOptions]:
    read_options = csv.ReadOptions(skip_rows=int(has_preamble))
    return read_options, csv.ParseOptions(newlines_in_values=True, invalid_row_handler=set_aside)


def pool(draw: np.random.Generator, column: int) -> pa.Array:
    """The texts that a further column has: kinds in turn, some of them nearly always blank."""
    numbers = draw.gamma(2, 1000, POOL)
    kinds = (
        [f"{each:.0f}" for each in numbers],
        [f"{each:.2f}" for each in numbers],
        [f"{each % 100:.1f}%" for each in numbers],
        [WORDS[int(each) % len(WORDS)] for each in numbers],
        [f"{MONTHS[int(each) % len(MONTHS)]}-20{int(each) % 18:02}" for each in numbers],
    )
    blank = draw.random(POOL) < (0.02, 0.5, 0.95)[column % 3]
    texts = kinds[column % len(kinds)]
    return pa.array([None if gone else text for gone, text in zip(blank, texts, strict=True)])
