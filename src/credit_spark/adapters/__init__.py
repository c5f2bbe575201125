"""The only code that touches the outside: Spark's session, files, Delta, Great Expectations."""
