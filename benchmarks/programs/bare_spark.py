"""Spark alone: texts of the files into one Delta table: `bare_spark.py LANDING MODEL AS_OF [OUT]`.

No value is parsed and no line judged: what any Spark program on these files takes at least. With no OUT, they are read and go nowhere.
"""

import sys

import book
from spark_session import session


def main(landing: str, out: str | None) -> None:
    """Read every field as a text, and write them all where they are wanted."""
    spark = session()
    fields = ", ".join(f"f{nth} string" for nth in range(width(landing)))
    lines = spark.read.csv(landing, schema=fields, header=True, multiLine=True, escape='"')
    if out is None:
        lines.write.format("noop").mode("overwrite").save()
    else:
        lines.write.format("delta").save(f"{out}/lines")
    spark.stop()


def width(landing: str) -> int:
    """How many fields a line has."""
    first = book.files(landing)[0]
    with first.open(encoding="utf-8") as text:
        header = [next(text) for _ in range(book.lines_above(first) + 1)][-1]
    return header.count(",") + 1


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[4:] or [None])
