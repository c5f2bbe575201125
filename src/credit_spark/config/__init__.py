"""Contract and settings: models, loading, checks. Pure: no Spark, no storage, no clock."""
