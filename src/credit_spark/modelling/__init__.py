"""Loans to features, features to a fitted model, the model to scores."""
