"""One module per step of a run, and the run that ties them together."""
