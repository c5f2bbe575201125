"""Lenders' text to typed, judged rows: every line leaves with one verdict."""
