"""Random effects over sites: published worked values, exact special cases, and error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from repcheck.stats.compare import Summary, welch
from repcheck.stats.random_effects import (
    generalised_q,
    hartung_knapp,
    paule_mandel,
    random_effects,
)
from repcheck.stats.sites import SiteArm, over_sites

# Colditz et al. 1994 (JAMA 271, 698-702), as in metafor's `dat.bcg`: tuberculosis cases and others
# in the vaccinated and in the control group of 13 trials.
BCG = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
    (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892),
    (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
)  # fmt: skip
LOG_RISK = [math.log(a / (a + b) * (c + d) / c) for a, b, c, d in BCG]
VARIANCES = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]
ERRORS = [math.sqrt(one) for one in VARIANCES]


def test_the_bcg_trials_give_what_metafor_documents():
    # Viechtbauer 2010 (J. Stat. Softw. 36(3)) and metafor's documentation of `rma` on `dat.bcg`,
    # log risk ratios: Q(12) = 152.2330, tau2 0.3181 (PM; the same as its EB), I2 of the DL output
    # 92.12 %, Q-profile interval of tau2 0.1197 to 1.1115. Printed to four digits.
    found = random_effects(LOG_RISK, ERRORS)
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.tau**2 == pytest.approx(0.3181, abs=5e-5)
    assert found.i2 == pytest.approx(0.9212, abs=5e-5)
    assert (found.tau_low**2, found.tau_high**2) == pytest.approx((0.1197, 1.1115), abs=5e-5)
    assert found.p < 1e-20


def test_hartung_and_knapp_at_the_documented_reml_variance_give_the_documented_interval():
    # rma(..., method="REML", test="knha"): tau2 0.313243258137274, -0.714532342158211
    # [-1.10844371368566, -0.320620970630764], t with 12 degrees of freedom.
    mean, se, weights = hartung_knapp(LOG_RISK, VARIANCES, 0.313243258137274)
    reach = float(stdtrit(12, 0.975)) * se
    assert mean == pytest.approx(-0.714532342158211, abs=1e-12)
    assert mean - reach == pytest.approx(-1.10844371368566, abs=1e-12)
    assert mean + reach == pytest.approx(-0.320620970630764, abs=1e-12)
    assert math.fsum(weights) == pytest.approx(1)


def test_paule_mandel_solves_its_own_equation_and_is_the_anova_estimate_for_equal_errors():
    tau2 = paule_mandel(LOG_RISK, VARIANCES)
    assert generalised_q(LOG_RISK, VARIANCES, tau2) == pytest.approx(12, abs=1e-10)
    assert paule_mandel([1.0, 2.0, 4.5], [0.25] * 3) == pytest.approx(
        np.var([1, 2, 4.5], ddof=1) - 0.25
    )
    assert paule_mandel([1.0, 1.1, 0.9], [0.25] * 3) == 0.0


def test_the_guard_never_lets_agreement_by_luck_narrow_the_interval():
    found = random_effects([5.0, 5.0, 5.0], [0.3, 0.3, 0.3])
    assert found.se == pytest.approx(0.3 / math.sqrt(3))
    assert (found.tau, found.q, found.p, found.i2) == (0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_units_scale_out_and_swapped_signs_swap_the_bounds(scale: float):
    plain = random_effects([1.0, 2.0, 4.0], [0.5, 0.4, 0.9])
    found = random_effects(
        [-scale, -2 * scale, -4 * scale], [0.5 * scale, 0.4 * scale, 0.9 * scale]
    )
    assert found.mean == pytest.approx(-plain.mean * scale, rel=1e-12)
    assert found.tau_high == pytest.approx(plain.tau_high * scale, rel=1e-9)
    assert found.q == pytest.approx(plain.q)


@pytest.mark.parametrize(
    ("estimates", "errors"),
    [([1.0], [1.0]), ([], []), ([1.0, 2.0], [1.0]), ([1.0, math.nan], [1.0, 1.0]),
     ([1.0, 2.0], [1.0, math.inf]), ([1.0, 2.0], [1.0, -1.0])],
)  # fmt: skip
def test_what_is_no_set_of_estimates_is_refused(estimates: list[float], errors: list[float]):
    with pytest.raises(ValueError, match=r"at least 2|finite|below zero"):
        random_effects(estimates, errors)


def test_errors_known_on_few_degrees_of_freedom_make_q_less_sure():
    sure, unsure = (random_effects([1.0, 2.0, 4.0], [0.5] * 3, df=df) for df in (None, 8.0))
    assert sure.p < unsure.p
    assert sure.tau_low > unsure.tau_low


# --- seeds at sites -------------------------------------------------------------------------------


def arm(*sites: list[float], sign: int = 1, apart: bool = False) -> SiteArm:
    """Make an arm from lists of values; `apart` gives every site seeds of its own."""
    return SiteArm(
        sign=sign,
        sites=tuple(
            {100 * place * apart + seed: value for seed, value in enumerate(values)}
            for place, values in enumerate(sites)
        ),
    )


OURS, BASE = [93.1, 92.6, 93.9, 92.8, 93.3], [88.4, 87.7, 88.1, 89.0, 88.2]


def test_copies_of_one_site_give_that_sites_own_interval_and_no_spread():
    for copies in (2, 3, 6):
        found = over_sites([arm(*[OURS] * copies), arm(*[BASE] * copies, sign=-1)])
        alone = welch(Summary.of(OURS), Summary.of(BASE), 0.05)
        assert found.interval.low == pytest.approx(alone.low, rel=1e-9)
        assert found.interval.high == pytest.approx(alone.high, rel=1e-9)
        assert found.between.tau == 0.0
        assert found.shares == {"sites": 0.0, "seeds": 1.0, "reported": 0.0}


def test_with_seeds_of_their_own_equal_sites_are_worth_more_than_one():
    one = welch(Summary.of(OURS), Summary.of(BASE), 0.05)
    arms = [arm(*[OURS] * 5, apart=True), arm(*[BASE] * 5, sign=-1, apart=True)]
    found = over_sites(arms)
    assert (found.shared, found.k) == ("none", 5)
    assert found.interval.se == pytest.approx(one.se / math.sqrt(5))
    assert found.interval.df == pytest.approx(4)


def test_sites_that_shift_every_seed_alike_are_told_apart_by_the_shift_alone():
    shifts = [0.0, 1.0, 3.0]
    found = over_sites([arm(*[[value + shift for value in OURS] for shift in shifts])])
    assert found.between.tau == pytest.approx(np.std(shifts, ddof=1), rel=1e-9)
    assert found.between.tau_low > 0.5
    assert found.interval.se**2 == pytest.approx(
        np.var(shifts, ddof=1) / 3 + np.var(OURS, ddof=1) / 5, rel=1e-9
    )


def test_the_same_seeds_are_the_two_way_layout():
    # Balanced sites x seeds: the residual is the interaction's mean square (Searle 1971).
    values = np.random.default_rng(3).normal(90, 1, (4, 6))
    found = over_sites([arm(*values.tolist())])
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = ((values - rows - columns + values.mean()) ** 2).sum() / (3 * 5)
    between = rows.var(ddof=1)
    assert found.between.q == pytest.approx(3 * between / (rest / 6), rel=1e-9)
    assert found.between.tau**2 == pytest.approx(max(0.0, between - rest / 6), abs=1e-9)
    own = max(between, rest / 6) / 4 + columns.var(ddof=1) / 6
    assert found.interval.se**2 == pytest.approx(own, rel=1e-9)


def test_sites_without_any_spread_are_compared_exactly():
    same = over_sites([arm([90.0, 90.0], [90.0, 90.0])])
    assert (same.interval.low, same.interval.df, same.between.tau) == (90.0, None, 0.0)
    other = over_sites([arm([90.0, 90.0], [91.0, 91.0], [92.0, 92.0])])
    assert other.between.tau == pytest.approx(1.0)
    assert other.interval.se == pytest.approx(1 / math.sqrt(3))


def test_two_sites_cannot_tell_their_spread_and_foretell_nothing():
    assert over_sites([arm(OURS, BASE)]).prediction is None
    assert over_sites([arm(OURS, BASE, OURS)]).prediction is not None


def test_one_seed_at_a_site_is_refused():
    with pytest.raises(ValueError, match="at least 2 finished seeds"):
        arm(OURS, [93.0])


def test_the_reported_number_brings_its_own_error_and_no_new_one_with_more_sites():
    reported = Summary(mean=93.0, sd=0.5, n=4)
    for sites in (2, 8):
        found = over_sites([arm(*[OURS] * sites, apart=True)], reported=reported)
        assert found.shares["reported"] * found.interval.se**2 == pytest.approx(0.0625)
        assert found.interval.estimate == pytest.approx(Summary.of(OURS).mean - 93.0)
    unknown = over_sites([arm(OURS, OURS)], reported=Summary(mean=93.0, sd=None, n=1))
    assert unknown.shares["reported"] * unknown.interval.se**2 == pytest.approx(
        np.var(OURS, ddof=1)
    )


def test_the_order_of_sites_and_of_seeds_changes_nothing():
    rng = np.random.default_rng(5)
    values = rng.normal(90, 1, (3, 5)).tolist()
    first = over_sites([arm(*values)])
    turned = over_sites([arm(*[list(reversed(one)) for one in reversed(values)])])
    assert turned.interval.low == pytest.approx(first.interval.low, rel=1e-12)
    assert turned.prediction == pytest.approx(first.prediction, rel=1e-12)


def test_partly_shared_seeds_lie_between_shared_and_own_ones():
    def site(first: int) -> dict[int, float]:
        return {first + nth: value for nth, value in enumerate(OURS)}

    widths = [
        over_sites([SiteArm(sign=1, sites=(site(0), site(by), site(2 * by)))]).interval.se
        for by in (0, 2, 5)
    ]
    partly = over_sites([SiteArm(sign=1, sites=(site(0), site(2), site(4)))])
    assert partly.shared == "some"
    assert widths[0] > widths[2]
    assert widths[1] >= widths[2]


RUNS = 250
# 5.5 % and three standard errors of a share of 5 % in 6 x RUNS bounds.
MOST = 0.055 + 3 * math.sqrt(0.05 * 0.95 / (6 * RUNS))


@pytest.mark.parametrize("sites", [3, 5])
@pytest.mark.parametrize("common", [0.0, 0.9], ids=["own seeds", "shared seeds"])
def test_at_the_threshold_wrong_verdicts_are_rare(sites: int, common: float):
    """Five seeds an arm; `common` is the share of a seed's variance that all sites see.

    Sites differ by 0, half and one standard deviation of the seeds.
    """
    rng = np.random.default_rng([sites, int(10 * common)])
    wrong = 0
    for tau in (0.0, 0.5, 1.0) * RUNS:
        arms, shift = [], rng.normal(0, tau, (sites, 1))
        for sign in (1, -1):
            values = rng.normal(0, math.sqrt(common), (1, 5))
            values = values + rng.normal(0, math.sqrt(1 - common), (sites, 5))
            values += shift if sign > 0 else 0
            arms.append(arm(*values.tolist(), sign=sign, apart=common == 0))
        interval = over_sites(arms).interval
        wrong += (interval.low > 0) + (interval.high < 0)
    assert wrong / (6 * RUNS) <= MOST
    assert wrong / (6 * RUNS) >= 0.003  # an interval that is always right is of no use
