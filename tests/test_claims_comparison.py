"""Comparisons: who is compared with whom, and what the paper offers as its contribution."""

from __future__ import annotations

import pytest

from repcheck.claims.comparison import comparisons
from repcheck.claims.load import parse


def claims(method: str, claim: str = "") -> str:
    return f"""
repcheck: 1
methods:
  ours: {{role: proposed, {method}}}
  base: {{role: baseline}}
  other: {{role: baseline}}
claims:
  - {{id: C1, method: ours, baselines: [base, other]{claim}}}
  - {{id: C2, method: ours, baselines: [base]}}
"""


def test_a_method_meets_each_baseline_once_with_all_claims_that_rest_on_it() -> None:
    found = comparisons(parse(claims("components: []")))
    assert [one.id for one in found] == ["ours-vs-base", "ours-vs-other"]
    assert [[claim.id.value for claim in one.claims] for one in found] == [["C1", "C2"], ["C1"]]


@pytest.mark.parametrize(
    ("method", "claim", "exempt"),
    [
        ("components: [pool, {name: recipe, differs_in: [train.epochs]}]", "", True),
        ("components: [{name: recipe, differs_in: [train.epochs]}, pool]", "", True),
        ("components: [pool]", ", attributed_to: [train.epochs]", True),
        ("components: [pool]", ", attributed_to: [train]", True),
        ("components: [pool]", ", attributed_to: [pool]", False),
        ("components: []", "", False),
    ],
)
def test_a_factor_is_the_contribution_where_components_or_attribution_name_it(
    method: str, claim: str, exempt: bool
) -> None:
    first = comparisons(parse(claims(method, claim)))[0]
    assert first.contributes("train.epochs") is exempt
