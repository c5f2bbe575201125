"""spark-submit jobs/rollback.py: the earlier champion is champion again."""

import sys

from credit_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["rollback", *sys.argv[1:]]))
