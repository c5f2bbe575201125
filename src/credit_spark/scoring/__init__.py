"""The model document, its SQL, the scorecard."""
