"""The page: a night at a glance, and one borrower's score with its reasons. No Spark, no JVM."""
