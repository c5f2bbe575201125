"""Spark session, Delta tables, model registry, paths; reading without Spark."""
