"""spark-submit jobs/monitor.py: feature_distribution, metrics -> drift, score_changes."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["monitor", *sys.argv[1:]]))
