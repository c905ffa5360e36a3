"""With as many tuning trials as the baseline had, the method's best is no better.

## What it catches
The best of 200 trials beside the best of 20: what is reported as the method's gain is what more
searching gives anybody.

## When it is legitimate
Both were tuned with equally many trials, or the gain is there at equal ones too. How unequal the
declared numbers of trials are is asked by RC202; here it is asked what they were worth.

## How it is decided
From the scores of all trials (`tuning.scores`, or a column of a file of the artifact,
`tuning.scores_from`) and nothing else; scores that are by their name, size or split not of the
claim's metric, or not comparable between the sides, decide nothing. The expected best of k trials
is the unbiased estimate of Tang et al. 2020, k the smaller of both numbers of trials. Nothing
bounds it well at that k: the difference has its 95 % interval at a fifth of it (bootstrap, two
sides at 97.5 %; from ten trials each), and for a metric in percent or as a fraction there are
distribution-free bands that hold for all k at once. If the baseline is ahead at k, and surely so in
that interval or at some equal number of trials by the bands, it is a minor finding. If the
difference at k and the whole interval lie below half of the claimed gain, it is a note: the scores
of trials are validation scores as a rule. If the method is ahead at k, and surely so in the same
sense, it is cleared. Otherwise it is not testable.

## How to fix
Give the baseline as many trials on the same search space, or report the expected best of equally
many trials for both, with the trials' scores beside the paper.

## Source
Dodge et al. 2019, Show Your Work; Tang et al. 2020; Lourie et al. 2023 (bands).
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claim
from repcheck.errors import Inapplicable, Reason
from repcheck.facts.trials import Trials, Tuned
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)


@rule("RC807b", Severity.MINOR, part=Part.FORENSIC, worst=Severity.MINOR)
def check(comparison: Comparison, trials: Trials) -> Answer:
    claims = tuple(_of_a_gain(comparison))
    if not claims:
        raise Inapplicable("no claim of this comparison is about a metric's gain")
    return [_of(trials.both(comparison, claim)) for claim in claims]


def _of_a_gain(comparison: Comparison) -> Iterator[Claim]:
    """Yield one claim for each metric."""
    seen: set[str] = set()
    for claim in comparison.claims:
        name = claim.metric.get("")
        if name and name not in seen and claim.kind not in {"equivalence", "speed"}:
            seen.add(name)
            yield claim


def _of(tuned: Tuned) -> Outcome:
    words = tuned.in_words()
    seen = tuned.quantities()
    behind = tuned.behind_from is not None or (tuned.high is not None and tuned.high < 0)
    if behind and tuned.at_equal < 0:
        return _flagged(tuned, f"{words}: the baseline is ahead", None)
    most = None if tuned.high is None else max(tuned.high, tuned.at_equal)
    if most is not None and tuned.half is not None and most < tuned.half:
        return _flagged(tuned, f"{words}: below half of the claimed gain", Severity.NOTE)
    ahead = tuned.ahead_from is not None or (tuned.low is not None and tuned.low > 0)
    if ahead and not behind and tuned.at_equal > 0:
        return Cleared(message=words, seen=seen, limit="a difference whose interval holds zero")
    return Undetermined(
        message=f"{words}: that many trials decide nothing",
        reason=Reason.NOT_TESTABLE,
        would_decide="more trials of both, with their scores",
        seen=seen,
    )


def _flagged(tuned: Tuned, words: str, severity: Severity | None) -> Flagged:
    return Flagged(
        message=words,
        kind=Kind.UNSUPPORTED,
        severity=severity,
        seen=tuned.quantities(),
        at=tuned.claim.place,
    )
