"""spark-submit jobs/clean.py: landing files -> loans, quarantine."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["clean", *sys.argv[1:]]))
