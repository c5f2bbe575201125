"""spark-submit jobs/monitor.py: profiles, metrics -> drift, movements."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["monitor", *sys.argv[1:]]))
