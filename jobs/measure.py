"""spark-submit jobs/measure.py: scores -> score_distribution, metrics."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["measure", *sys.argv[1:]]))
