"""Training data to a fitted regression: splits, imbalance strategies, bins, benchmarks."""
