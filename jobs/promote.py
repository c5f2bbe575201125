"""spark-submit jobs/promote.py: a challenger -> the champion."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["promote", *sys.argv[1:]]))
