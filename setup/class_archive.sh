#!/bin/sh
# Keep Java's classes of a night as Java has them in memory: every Spark of .venv then starts some
# seconds sooner. Java leaves the archive aside without a word where it is another Java later, or
# where other JARs, or a file in pyspark's conf folder, stand on its class path.
set -eu
bin=$PWD/.venv/bin
archive=$("$bin/python" -c 'from credit_spark.storage.session import CLASS_ARCHIVE as a; print(a)')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo "setup: an archive of Java's classes, from a night of some sample loans (two minutes, once)"
night() {
    "$bin/credit-spark" sample --rows 3000 --as-of 2012-01-31 --out "$folder/landing" &&
        PATH="$bin:$PATH" CREDIT_SPARK__STORAGE__LOGS="$folder/logs" "$bin/spark-submit" \
            --driver-java-options "-XX:+UseSerialGC -XX:ArchiveClassesAtExit=$archive" \
            jobs/nightly.py --portfolio lending_club --as-of 2012-01-31 \
            --landing "$folder/landing" --warehouse "$folder/warehouse"
}
rm -f "$archive"
night >"$folder/said" 2>&1 || {
    tail -5 "$folder/said" >&2
    echo "setup: no archive was made; all works without it, and Spark starts more slowly" >&2
}
