"""Drift, vintages and changes of scores, from counts by bin."""
