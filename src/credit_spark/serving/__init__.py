"""The page: a batch at a glance, and one borrower's score with its reasons. No Spark, no JVM."""
