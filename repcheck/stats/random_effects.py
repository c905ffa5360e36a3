"""Random effects over a few places: their mean, the spread between them, and what a new one sees.

The model is y_i = mu + u_i + e_i: an estimate with standard error `errors[i]` at each of k places,
and a deviation u_i of the place with standard deviation tau. tau comes from the generalised Q of
Paule and Mandel (1982), the mean's interval from Hartung and Knapp (2001) with Student's t on k - 1
degrees of freedom, and never narrower than the model says (the "ad-hoc" guard of Knapp and Hartung
2003). It holds its level at 2 to 5 places, where the normal interval of DerSimonian and Laird
fails.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.special import chdtrc, chdtri, fdtrc, fdtri

from repcheck.stats.criteria import require_finite

TAIL = 0.025
_HALVINGS = 200
_MANY = 1e9  # degrees of freedom at which F is chi squared
# Relative to the largest number there is: what stands in for a standard error of zero.
_LEAST_VARIANCE = 1e-28


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomEffects:
    """The summary of k estimates.

    `se` is the guarded standard error of `mean` (k - 1 degrees of freedom), `weights` add up to 1.
    `tau` is the standard deviation between places with its 95 % interval by the Q profile
    (Viechtbauer 2007). `q` is Cochran's Q and `p` the probability of a larger one without any
    spread between places; `i2` the share of the variance of the estimates that is between places
    (Higgins and Thompson 2002).
    """

    k: int
    mean: float
    se: float
    weights: tuple[float, ...]
    tau: float
    tau_low: float
    tau_high: float
    q: float
    p: float
    i2: float


def random_effects(
    estimates: Sequence[float], errors: Sequence[float], *, df: float | None = None
) -> RandomEffects:
    """Summarise one estimate a place, each with its standard error.

    `df` are the degrees of freedom on which the errors themselves rest, where those are few: Q is
    then held against F instead of chi squared. Raises ValueError for fewer than 2 places, unequal
    lengths, and numbers that are not finite or errors below zero.
    """
    if df is not None and require_finite("the degrees of freedom", df) <= 0:
        raise ValueError(f"the degrees of freedom must be above zero, not {df}")
    df = None if df is None or df > _MANY else df
    k = len(estimates)
    if k < 2 or len(errors) != k:
        raise ValueError(f"at least 2 estimates and as many errors, not {k} and {len(errors)}")
    numbers = [require_finite("an estimate", one) for one in estimates]
    if any(require_finite("a standard error", one) < 0 for one in errors):
        raise ValueError("a standard error must not be below zero")
    first = numbers[0]
    shifts = [one - first for one in numbers]
    scale = max(*map(abs, shifts), *errors) or 1.0
    ours = [one / scale for one in shifts]
    variances = [max((one / scale) ** 2, _LEAST_VARIANCE) for one in errors]
    tau2 = paule_mandel(ours, variances)
    mean, se, weights = hartung_knapp(ours, variances, tau2)
    q = generalised_q(ours, variances, 0.0)
    low, high = _tau_interval(ours, variances, df)
    return RandomEffects(
        k=k,
        mean=first + scale * mean,
        se=scale * se if any(shifts) or any(errors) else 0.0,
        weights=weights,
        tau=scale * math.sqrt(tau2),
        tau_low=scale * low,
        tau_high=scale * high,
        q=q,
        p=float(chdtrc(k - 1, q) if df is None else fdtrc(k - 1, df, q / (k - 1))),
        i2=max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
    )


def generalised_q(estimates: Sequence[float], variances: Sequence[float], tau2: float) -> float:
    """Weighted squared deviations from the weighted mean, weights 1 / (variance + tau2); with tau2
    = 0 it is Cochran's Q.
    """
    weights = [1 / (variance + tau2) for variance in variances]
    mean = _mean(weights, estimates)
    return math.fsum(w * (y - mean) ** 2 for w, y in zip(weights, estimates, strict=True))


def paule_mandel(estimates: Sequence[float], variances: Sequence[float]) -> float:
    """The variance between places at which the generalised Q is what is expected of it, k - 1."""
    return _tau2_at(estimates, variances, len(estimates) - 1)


def hartung_knapp(
    estimates: Sequence[float], variances: Sequence[float], tau2: float
) -> tuple[float, float, tuple[float, ...]]:
    """The weighted mean, its guarded standard error, and the weights as shares of 1.

    The error is that of the estimates' own scatter, sqrt(Q(tau2) / (k - 1) / sum of weights), and
    at least that of the model, sqrt(1 / sum of weights).
    """
    weights = [1 / (variance + tau2) for variance in variances]
    total = math.fsum(weights)
    ratio = generalised_q(estimates, variances, tau2) / (len(estimates) - 1)
    se = math.sqrt(max(1.0, ratio) / total)
    return _mean(weights, estimates), se, tuple(weight / total for weight in weights)


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(w * y for w, y in zip(weights, values, strict=True)) / math.fsum(weights)


def _tau2_at(estimates: Sequence[float], variances: Sequence[float], target: float) -> float:
    """The tau2 from 0 up at which the generalised Q, which falls with it, comes to a target."""

    def q(tau2: float) -> float:
        return generalised_q(estimates, variances, tau2)

    if q(0.0) <= target:
        return 0.0
    middle = math.fsum(estimates) / len(estimates)
    # Q(tau2) is at most the plain sum of squares over tau2.
    most = math.fsum((one - middle) ** 2 for one in estimates) / target
    return _bisected(q, most, target)


def _bisected(falling: Callable[[float], float], most: float, target: float) -> float:
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if falling(middle) > target else (low, middle)
    return (low + high) / 2


def _tau_interval(
    estimates: Sequence[float], variances: Sequence[float], df: float | None
) -> tuple[float, float]:
    """The 95 % Q profile: every tau whose Q is not too large and not too small.

    Errors known on few degrees of freedom widen the lower end by F; far from zero the spread
    between places outweighs them, so the upper end stays with chi squared.
    """
    between = len(estimates) - 1
    if df is None:
        most = float(chdtri(between, TAIL))
    else:
        most = between * float(fdtri(between, df, 1 - TAIL))
    least = float(chdtri(between, 1 - TAIL))
    return (
        math.sqrt(_tau2_at(estimates, variances, most)),
        math.sqrt(_tau2_at(estimates, variances, least)),
    )
