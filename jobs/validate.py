"""spark-submit jobs/validate.py: the current loans against their suite."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["validate", *sys.argv[1:]]))
