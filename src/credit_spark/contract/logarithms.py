"""Natural logarithm and exponential, the same to the last digit on every machine.

A processor or a library has its own last digit; a night has to be the
same table wherever it runs, and its scores those that Java gives.
Source: fdlibm 5.3, e_log.c and e_exp.c, which Java's StrictMath follows.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

Doubles = npt.NDArray[np.float64]
Words = npt.NDArray[np.int64]
Function = Callable[[Doubles], Doubles]

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ONE_OVER_LN2 = 1.44269504088896338700e00
LOG_TERMS = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
EXP_TERMS = (
    1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
    -1.65339022054652515390e-06, 4.13813679705723846039e-08,
)  # fmt: skip
LEAST_NORMAL, TWO_54 = 2.0**-1022, 2.0**54
# Beyond it, an exponential has no normal double.
WIDEST_EXPONENT = 700.0


def ln(values: pl.Expr) -> pl.Expr:
    """The natural logarithm of numbers above zero; of others it has no meaning. Null stays null."""
    return values.map_batches(_on_doubles(_ln), return_dtype=pl.Float64)


def exp(values: pl.Expr) -> pl.Expr:
    """The exponential of numbers within 700 of zero. Null stays null."""
    return values.map_batches(_on_doubles(_exp), return_dtype=pl.Float64)


def ln_of(value: float) -> float:
    """The natural logarithm of one number above zero."""
    return float(_quietly(_ln, np.array([value]))[0])


def exp_of(value: float) -> float:
    """The exponential of one number within 700 of zero."""
    return float(_quietly(_exp, np.array([value]))[0])


def _quietly(function: Function, values: Doubles) -> Doubles:
    """What is computed for every case at once overflows where another case is meant."""
    with np.errstate(all="ignore"):
        return function(values)


def _on_doubles(function: Function) -> Callable[[pl.Series], pl.Series]:
    def on_series(values: pl.Series) -> pl.Series:
        doubles = values.cast(pl.Float64)
        known = doubles.fill_null(1.0).to_numpy()
        found = pl.Series(values.name, _quietly(function, known))
        return found.set(doubles.is_null(), None)

    return on_series


def _high_word(values: Doubles) -> Words:
    return values.view(np.int64) >> 32


def _ln(given: Doubles) -> Doubles:
    is_small = given < LEAST_NORMAL
    values = np.where(is_small, given * TWO_54, given)
    bits = values.view(np.int64)
    high = bits >> 32
    fraction = high & 0x000FFFFF
    carried = (fraction + 0x95F64) & 0x100000
    exponent = (high >> 20) - 1023 + (carried >> 20) - np.where(is_small, 54, 0)
    scaled = (((fraction | (carried ^ 0x3FF00000)) << 32) | (bits & 0xFFFFFFFF)).view(np.float64)
    f, k = scaled - 1.0, exponent.astype(np.float64)
    near_one = (0x000FFFFF & (2 + fraction)) < 3
    found = np.where(near_one, _ln_near_one(f, k), _ln_further(f, k, fraction))
    return np.where(np.isfinite(given), found, given)


def _ln_near_one(f: Doubles, k: Doubles) -> Doubles:
    """Of (1 + f) * 2^k with |f| below 2^-20."""
    rest = f * f * (0.5 - 0.33333333333333333 * f)
    found = np.where(k == 0, f - rest, k * LN2_HIGH - ((rest - k * LN2_LOW) - f))
    return np.where(f == 0, np.where(k == 0, 0.0, k * LN2_HIGH + k * LN2_LOW), found)


def _ln_further(f: Doubles, k: Doubles, fraction: Words) -> Doubles:
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    lg1, lg2, lg3, lg4, lg5, lg6, lg7 = LOG_TERMS
    rest = z * (lg1 + w * (lg3 + w * (lg5 + w * lg7))) + w * (lg2 + w * (lg4 + w * lg6))
    half = 0.5 * f * f
    wide = np.where(
        k == 0,
        f - (half - s * (half + rest)),
        k * LN2_HIGH - ((half - (s * (half + rest) + k * LN2_LOW)) - f),
    )
    narrow = np.where(
        k == 0, f - s * (f - rest), k * LN2_HIGH - ((s * (f - rest) - k * LN2_LOW) - f)
    )
    return np.where(((fraction - 0x6147A) | (0x6B851 - fraction)) > 0, wide, narrow)


def _exp(given: Doubles) -> Doubles:
    x = np.clip(given, -WIDEST_EXPONENT, WIDEST_EXPONENT)
    size, sign = _high_word(np.abs(x)), np.where(x < 0, -1.0, 1.0)
    is_reduced, is_far = size > 0x3FD62E42, size >= 0x3FF0A2B2
    k = np.where(is_reduced, np.where(is_far, np.trunc(ONE_OVER_LN2 * x + 0.5 * sign), sign), 0.0)
    high, low = x - k * LN2_HIGH, k * LN2_LOW
    reduced = np.where(is_reduced, high - low, x)
    t = reduced * reduced
    p1, p2, p3, p4, p5 = EXP_TERMS
    c = reduced - t * (p1 + t * (p2 + t * (p3 + t * (p4 + t * p5))))
    whole = 1.0 - ((reduced * c) / (c - 2.0) - reduced)
    parted = 1.0 - ((low - (reduced * c) / (2.0 - c)) - high)
    scaled = np.ldexp(np.where(is_reduced, parted, whole), k.astype(np.int32))
    return np.where(size < 0x3E300000, 1.0 + x, np.where(np.isnan(given), given, scaled))
