"""spark-submit jobs/nightly.py: the whole batch, from landing files to metrics."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["nightly", *sys.argv[1:]]))
