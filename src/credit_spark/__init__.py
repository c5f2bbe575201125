"""A nightly batch that scores credit risk, and accounts for every row."""
