"""spark-submit jobs/nightly.py: the whole night: clean, validate, train where there is no champion, score, measure."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["nightly", *sys.argv[1:]]))
