"""Whether stated compute, parameters, tokens and hours can be true together."""

from __future__ import annotations

from dataclasses import dataclass

from repcheck.stats.criteria import require_positive

SECONDS_AN_HOUR = 3600.0
TERA = 1e12
_FACTORS = {
    6.0: "forward and backward of every parameter",
    8.0: "forward, backward and activations computed again",
    4.0: "backward through frozen weights",
    2.0: "forward alone",
    3.0: "multiply-adds of forward and backward",
    1.0: "multiply-adds of forward alone",
}
_NEAR = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class PerToken:
    """Operations per parameter and token, and what such a factor counts (or nothing known)."""

    factor: float
    means: str


def per_parameter_and_token(flops: float, params: float, tokens: float) -> PerToken:
    """Return training FLOPs / (parameters x tokens): 6 for a dense model (Kaplan et al. 2020).

    Attention adds to it with the length of the context, sparse experts take from it.
    """
    for one in (flops, params, tokens):
        require_positive("compute, parameters and tokens", one)
    factor = flops / params / tokens
    near = min(_FACTORS, key=lambda known: max(factor / known, known / factor))
    known = max(factor / near, near / factor) <= _NEAR
    return PerToken(factor=factor, means=_FACTORS[near] if known else "")


def utilisation(flops: float, device_hours: float, peak_tflops: float) -> float:
    """Return the share of the devices' peak that training took; above 1 is impossible."""
    for one in (flops, device_hours, peak_tflops):
        require_positive("compute, hours and peak", one)
    return flops / (device_hours * SECONDS_AN_HOUR * peak_tflops * TERA)
