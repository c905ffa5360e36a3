"""Claims over several datasets: the mean over all of them decides, and none can be left out."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.report_verdicts import described, reproduction
from repcheck.reporters.html import render
from repcheck.reproduction import Reproduction, reproduce
from repcheck.runs import Run, SeedKind, Status
from repcheck.stats.sample_size import Pilot, scaled, two_arms
from repcheck.verdict import conclude
from tests.sample_report import sample

GOOD = (93.0, 92.6, 93.3, 92.9, 93.1)
BASE = (88.1, 87.6, 88.4, 87.9, 88.0)
FAIR = tuple(value - 4 for value in GOOD)
GAIN = "baselines: [base], improvement: 5.0"


def claims(claim: str, names: str = "a, b, c", rows: str = "", fixes: str = "") -> Claims:
    datasets = ", ".join(f"{name}: {{}}" for name in names.split(", "))
    return parse(
        f"""
repcheck: 1
datasets: {{{datasets}}}
methods:
  ours: {{role: proposed, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}{fixes}}}
  base: {{role: baseline, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}{fixes}}}
  third: {{role: baseline, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}}}
  copied: {{role: baseline}}
metrics:
  acc: {{higher_is_better: true, unit: percent, from: "{{out}}/m.json:acc"}}
  error: {{higher_is_better: false, unit: percent, from: "{{out}}/m.json:error"}}
results: [{rows}]
claims:
  - {{id: C1, text: "It is better.", method: ours, datasets: [{names}], {claim}}}
""",
        "c.yaml",
    )


def runs(dataset: str, **arms: tuple[float | None, ...]) -> tuple[Run, ...]:
    return tuple(
        Run(
            key=f"{method}{dataset}{seed}",
            arm=method,
            method=method,
            dataset=dataset,
            seed=seed,
            seed_kind=SeedKind.FRESH,
            status=Status.OK if value is not None else Status.NONZERO,
            reason="" if value is not None else "the command exited with 1",
            metrics={} if value is None else {"acc": value, "error": 100 - value},
        )
        for method, values in arms.items()
        for seed, value in enumerate(values)
    )


def parts(said: Claims, made: tuple[Run, ...]) -> tuple[Reproduction, ...]:
    return reproduce(said, said.claims[0], Evidence(claims=said, runs=made))


TWO_GOOD = runs("a", ours=GOOD, base=BASE) + runs("b", ours=GOOD, base=BASE)
MIXED = TWO_GOOD + runs("c", ours=FAIR, base=BASE)


def test_the_mean_over_all_datasets_decides_and_the_datasets_follow_with_holm() -> None:
    (found,) = parts(claims(f"metric: acc, {GAIN}"), MIXED)
    assert found.rule == (
        "Mean over 3 datasets (a, b, c): the gain's one-sided 95 % lower bound +3.47 lies above "
        "half the claimed gain (+2.50): measured +3.65, 90 % interval [+3.47, +3.82], n = 5 + 5 on "
        "each, Satterthwaite t over 3 datasets; dataset by dataset it is shown on 2 of 3 "
        "(a, b; Holm)."
    )
    assert (found.verdict, found.claimed, found.axis) == ("reproduced", 5.0, "gain")
    assert found.observed == pytest.approx((4.98 + 4.98 + 0.98) / 3)
    assert [one.dataset for one in found.datasets] == ["a", "b", "c"]
    assert [one.shown for one in found.datasets] == [True, True, False]
    assert found.datasets[2].interval == pytest.approx((0.6552, 1.3048), abs=1e-4)


def test_where_the_mean_does_not_pass_no_dataset_is_judged_by_itself() -> None:
    made = TWO_GOOD[:10] + runs("b", ours=FAIR, base=BASE) + runs("c", ours=BASE, base=BASE)
    (found,) = parts(claims(f"metric: acc, {GAIN}"), made)
    assert (found.verdict, found.detail) == ("not-reproduced", "real-but-smaller")
    assert found.rule.endswith("the mean does not pass, so no dataset is judged by itself.")
    assert [(one.p, one.shown) for one in found.datasets] == [(None, None)] * 3
    assert [one.interval is not None for one in found.datasets] == [True] * 3


@pytest.mark.parametrize("lost", [(), runs("c", ours=GOOD), runs("c", base=BASE)])
def test_the_gate_cannot_be_passed_by_leaving_a_losing_dataset_unrun(
    lost: tuple[Run, ...],
) -> None:
    (found,) = parts(claims(f"metric: acc, {GAIN}"), TWO_GOOD + lost)
    assert (found.verdict, found.reason) == ("not-run", Reason.NOT_OBSERVED)
    assert (found.observed, found.datasets) == (None, ())
    assert "3 datasets and 1 of them is missing (`c`: rerun `" in found.rule
    assert "another claim's" in found.rule
    conclusion = conclude(Evidence(claims=claims(f"metric: acc, {GAIN}"), runs=TWO_GOOD + lost), [])
    assert conclusion.sentence.startswith("“It is better” was rerun only in part")


def test_a_dataset_on_which_all_seeds_failed_leaves_the_claim_not_reproducible_as_supplied() -> (
    None
):
    made = TWO_GOOD + runs("c", ours=(None,) * 5, base=BASE)
    (found,) = parts(claims(f"metric: acc, {GAIN}"), made)
    assert (found.verdict, found.detail) == ("not-run", "not-reproducible-as-supplied")
    assert "`c`: all 5 runs of `ours` failed" in found.rule


def test_a_dataset_with_too_few_seeds_is_not_dropped_from_the_mean() -> None:
    (found,) = parts(claims(f"metric: acc, {GAIN}"), TWO_GOOD + runs("c", ours=(93.0,), base=BASE))
    assert found.verdict == "inconclusive"
    assert found.rule == (
        "Mean over 3 datasets (a, b, c): No verdict from these seeds: the method on c has 1 "
        "finished seed (at least 2 are needed); n = 5 + 5 on a, 5 + 5 on b, 1 + 5 on c."
    )
    crashed = TWO_GOOD + runs("c", ours=(*GOOD[:3], None, None), base=BASE)
    assert (
        "2 of 5 seeds of the method on c crashed, more than 20 %"
        in parts(claims(f"metric: acc, {GAIN}"), crashed)[0].rule
    )


def test_an_open_mean_says_how_many_seeds_on_each_dataset_would_decide() -> None:
    loose = (93.0, 89.6, 95.3, 87.9, 92.1)
    made = tuple(run for name in "abc" for run in runs(name, ours=loose, base=BASE))
    (found,) = parts(claims(f"metric: acc, {GAIN}"), made)
    assert found.verdict == "inconclusive"
    assert found.seeds_needed is not None
    assert found.seeds_needed > 5
    one, many = scaled(2.0 * math.sqrt(2 / 5), 8.0, 5), Pilot(sd=2.0, df=8, design=two_arms)
    n = np.array([6.0, 12.0, 40.0])
    for ours, theirs in zip(one.design(one.sd, n), many.design(many.sd, n), strict=True):
        assert ours == pytest.approx(theirs)


def test_swapped_arms_turn_a_mean_gain_into_its_opposite() -> None:
    swapped = tuple(
        replace(one, arm=other, method=other)
        for one in MIXED
        for other in ["base" if one.method == "ours" else "ours"]
    )
    said = claims(f"metric: acc, {GAIN}")
    (found,), (other,) = parts(said, MIXED), parts(said, swapped)
    assert (other.verdict, other.detail) == ("not-reproduced", "reversed")
    assert other.observed == pytest.approx(-found.observed)
    assert other.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_a_lower_is_better_mean_gain_is_oriented() -> None:
    (found,) = parts(claims(f"metric: error, {GAIN}"), MIXED)
    assert found.verdict == "reproduced"
    assert found.observed == pytest.approx((4.98 + 4.98 + 0.98) / 3)
    assert any("lower is better" in one for one in found.caveats)


def test_an_average_value_and_its_baselines_are_judged_on_means() -> None:
    rows = ", ".join(
        f"{{method: ours, dataset: {name}, metric: acc, mean: {mean}, std: 0.3, n: 5,"
        " std_kind: sample}"
        for name, mean in (("a", 93.0), ("b", 93.0), ("c", 89.0))
    )
    said = claims("metric: acc, value: 91.7, baselines: [base]", rows=rows)
    value, direction = parts(said, MIXED)
    assert (value.verdict, value.axis, value.claimed) == ("reproduced", "value", 91.7)
    assert value.observed == pytest.approx((92.98 + 92.98 + 88.98) / 3)
    assert "twice the spread over seeds of the average" in value.rule
    assert any("read as the average over these datasets" in one for one in value.caveats)
    assert [one.observed for one in value.datasets] == pytest.approx([92.98, 92.98, 88.98])
    assert direction.rule.startswith("Mean over 3 datasets (a, b, c): the 90 % interval [+3.47, ")
    assert "shown on 3 of 3" in direction.rule
    low = claims("metric: acc, value: 95.0", rows=rows)
    (found,) = parts(low, MIXED)
    assert (found.verdict, found.detail) == ("not-reproduced", "outside-prediction-interval")
    assert any("taken as one seed's" in one for one in found.caveats)
    (gone,) = parts(low, TWO_GOOD)
    assert (gone.verdict, gone.reason) == ("not-run", Reason.NOT_OBSERVED)


def test_a_baseline_as_published_on_each_dataset_stands_in_the_mean() -> None:
    rows = ", ".join(
        f"{{method: copied, dataset: {name}, metric: acc, mean: 87.9, std: 0.6, n: 5}}"
        for name in "abc"
    )
    said = claims("metric: acc, baselines: [copied], improvement: 5.0", rows=rows)
    (found,) = parts(said, MIXED)
    assert (found.verdict, found.detail) == ("reproduced", "baseline-as-published")
    assert "n = 5 + 5 published on each" in found.rule
    assert any("`copied` was not rerun" in one for one in found.caveats)


def test_a_collapse_on_one_dataset_is_told_and_counted() -> None:
    made = TWO_GOOD + runs("c", ours=GOOD, base=(*BASE[:4], 20.0))
    (found,) = parts(claims(f"metric: acc, {GAIN}"), made)
    assert (found.collapsed_method, found.collapsed_baseline) == (0, 1)
    assert "1 of 5 seeds of the baseline on c collapsed" in found.rule


def test_extras_describe_a_claim_over_several_datasets_and_decide_nothing() -> None:
    said = claims(f"metric: error, {GAIN}")
    [verdict] = conclude(Evidence(claims=said, runs=MIXED), []).verdicts
    names = [(one.name, one.about) for one in verdict.descriptive]
    assert names == [
        ("interquartile mean", "ours"),
        ("interquartile mean", "base"),
        ("probability of improvement", "ours against base"),
        ("almost stochastic order", "ours against base"),
        ("performance profile", "ours"),
        ("performance profile", "base"),
    ]
    first = verdict.descriptive[0]
    assert first.interval is not None
    assert 0 < first.interval[0] < first.value < first.interval[1]
    assert all("5 seeds on each of 3 datasets" in one.n for one in verdict.descriptive)
    again = conclude(Evidence(claims=said, runs=MIXED), []).verdicts[0].descriptive
    assert again == verdict.descriptive
    assert conclude(Evidence(claims=said, runs=TWO_GOOD), []).verdicts[0].descriptive == ()


@pytest.mark.parametrize(("names", "ranked"), [("a, b, c, d", 0), ("a, b, c, d, e", 3)])
def test_mean_ranks_are_told_from_three_methods_on_five_datasets_up(
    names: str, ranked: int
) -> None:
    said = claims("metric: acc, baselines: [base, third], improvement: 5.0", names=names)
    made = tuple(
        run
        for name in names.split(", ")
        for run in runs(name, ours=GOOD, base=BASE, third=tuple(v - 1 for v in BASE))
    )
    [verdict] = conclude(Evidence(claims=said, runs=made), []).verdicts
    found = [one for one in verdict.descriptive if one.name == "mean rank"]
    assert [(one.about, one.value) for one in found] == [
        ("ours", 1.0), ("base", 2.0), ("third", 3.0)
    ][:ranked]  # fmt: skip


def test_the_page_shows_the_datasets_beneath_the_verdict_and_the_extras_apart() -> None:
    said = claims(f"metric: acc, {GAIN}")
    [verdict] = conclude(Evidence(claims=said, runs=MIXED), []).verdicts
    report = sample()
    report["claims"][0] |= {
        "reproduction": reproduction(verdict.reproduction),
        "parts": [reproduction(part) for part in verdict.parts],
        "descriptive": [described(one) for one in verdict.descriptive],
    }
    assert json.loads(json.dumps(report["claims"][0])) == report["claims"][0]
    page = render(report)
    assert '<th scope="row">c</th><td>+0.98' in page
    assert "<td>not shown</td>" in page
    assert "Descriptive; not part of the verdict" in page
    assert "interquartile mean of <code>ours</code>" in page
