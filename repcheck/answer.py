"""The verdict on one number of a claim, as every page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repcheck.claims.model import Claim, Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.question import Question
from repcheck.stats.compare import collapse_caveat
from repcheck.stats.decision import Decision
from repcheck.stats.permutation_check import PermutationCheck
from repcheck.stats.sequential import given_up

NOT_RUN = "not-run"
AS_SUPPLIED = "not-reproducible-as-supplied"
ORIENTED = "lower is better for this metric; differences are oriented so that positive is better"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPart:
    """One dataset of a claim over several: its own interval, and no verdict of its own.

    `p` is one-sided, for "above half the claimed gain" ("above zero" where no gain is stated), with
    Holm's correction; None, as `shown`, where the mean over all datasets did not pass.
    """

    dataset: str
    observed: float | None
    interval: tuple[float, float] | None
    n_method: int
    n_baseline: int | None = None
    p: float | None = None
    shown: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The verdict on one number of a claim, with everything it rests on.

    `axis` says what `claimed`, `observed` and `interval` are: a gain over `baseline`, or a value.
    `interval` is the verdict's own; for a value it is that of "rerun minus reported", moved to the
    reported value. Over several datasets the numbers are means, `n_method` and `n_baseline` those
    of the dataset with the fewest seeds, and `datasets` holds each of them. `collapsed_method` and
    `collapsed_baseline` count seeds of those that finished.
    """

    verdict: str
    detail: str = ""
    axis: str = "value"
    baseline: str = ""
    claimed: float | None = None
    claimed_text: str = ""
    observed: float | None = None
    interval: tuple[float, float] | None = None
    level: float | None = None
    test: str = ""
    n_method: int = 0
    n_baseline: int | None = None
    seeds_needed: int | None = None
    rule: str = ""
    caveats: tuple[str, ...] = ()
    reason: Reason | None = None
    collapsed_method: int = 0
    collapsed_baseline: int = 0
    permutation: PermutationCheck | None = None
    datasets: tuple[DatasetPart, ...] = ()


def not_run(
    claim: Claim, gap: Missing | Inapplicable, baseline: Method | None = None
) -> Reproduction:
    """Return that a number was not put to any run, and why."""
    reason = gap.reason if isinstance(gap, Missing) else Reason.NOT_TESTABLE
    words = gap.would_decide if isinstance(gap, Missing) else str(gap)
    claimed = claim.improvement if claim.improvement.known else claim.value
    better = baseline is not None and not claim.improvement.known
    text = claimed.text
    if better and baseline:
        same = claim.kind == "equivalence"
        text = f"{'equivalent to' if same else 'better than'} {baseline.id}"
    return Reproduction(
        verdict=NOT_RUN,
        detail=AS_SUPPLIED if reason is Reason.COMMAND_FAILED else "",
        axis="gain" if claim.improvement.known or baseline else "value",
        baseline=baseline.id if baseline else "",
        claimed=0.0 if better else claimed.content if not claim.relative else None,
        claimed_text=text,
        rule=f"Not run: {words}.",
        reason=reason,
    )


def answered(
    decision: Decision,
    question: Question,
    said: Iterable[str],
    *,
    collapsed: Sequence[int] = (0,),
    seeds: int | None = None,
) -> Reproduction:
    """Return a decision with its caveats.

    `collapsed` counts the collapsed seeds of each arm, `seeds` all finished seeds of the method
    where `n_a` are only those of one dataset.
    """
    interval, caveats = decision.interval, [*said]
    if question.sign < 0:
        caveats.append(ORIENTED)
    if decision.needed is not None:
        caveats.append(decision.needed.in_words)
    if question.look is not None and (stopped := given_up(*question.look, decision)):
        caveats.append(stopped)
    decided = decision.verdict != "inconclusive" and "deterministic" not in decision.details
    if decided and not collapsed[0]:
        caveats.append(collapse_caveat(seeds or decision.n_a))
    return Reproduction(
        verdict=decision.verdict,
        detail=decision.detail,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else None,
        test=decision.test,
        n_method=decision.n_a,
        n_baseline=decision.n_b,
        seeds_needed=decision.seeds_needed,
        rule=decision.rule_in_words,
        caveats=tuple(caveats),
        collapsed_method=collapsed[0],
        collapsed_baseline=sum(collapsed[1:]),
    )
