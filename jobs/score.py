"""spark-submit jobs/score.py: loans -> scores."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
