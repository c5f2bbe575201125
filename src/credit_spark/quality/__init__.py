"""Great Expectations suites and their results."""
