"""Figures on how well the scores part good loans from bad: Spark counts, Python calculates."""
