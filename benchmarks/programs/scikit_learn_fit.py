"""A fit as a script would make it: `scikit_learn_fit.py BOOK OUT`, its coefficients as JSON."""

import json
import sys
from pathlib import Path

import pandas as pd
from fit_book import FEATURES, REGULARISATION
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main(book: str, out: str) -> None:
    """Read, fit and write."""
    rows = pd.read_parquet(book)
    # By its own tolerance it stops where the fourth digit is not yet right.
    strength = 1 / (len(rows) * REGULARISATION)
    penalty = LogisticRegression(solver="newton-cholesky", C=strength, tol=1e-8)
    fit = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), penalty)
    fit.fit(rows[list(FEATURES)], rows["label"])
    found = [*penalty.coef_[0].tolist(), float(penalty.intercept_[0])]
    Path(out).write_text(json.dumps({"coefficients": found}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
