"""spark-submit jobs/train.py: loans -> a fitted and tested model."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
