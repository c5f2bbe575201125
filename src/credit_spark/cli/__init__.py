"""Commands: flags in, one command, a short summary out."""
