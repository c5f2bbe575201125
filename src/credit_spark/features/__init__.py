"""Feature columns: the SQL of a contract's features as Spark columns."""
