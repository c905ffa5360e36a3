"""A policy decides what does not depend on the state, or does not matter.

## What it catches
Reinforcement learning as an ornament: a policy that has collapsed onto one action, or that draws
its actions whatever the state is, in a method that scores the same without it.

## When it is legitimate
Decisions that depend on the state and beat a fixed choice. A problem in which one action is always
best has a constant policy as its solution: then the paper should say so, and a constant will do.

## How it is decided
Where `rl` is declared, a component is named so, or a policy gradient was seen. A policy is seen
where actions are drawn from torch's `Categorical` or, one at a time, by `torch.multinomial`: after
the last optimizer step, else in the last of at least 200 decisions. 95 % of them for one action,
or less than 0.01 bit that the state tells of the action (the entropy of the mean probabilities less
the mean of their entropies, while the policy is one), is a minor finding where the claim credits
the policy and a note where not. What the policy is worth is for an arm: `probe: {policy: {as:
marginal}}` draws each action from the policy's own running mean, blind to the state. A 90 %
interval of the difference within the margin (a quarter of the claimed gain, or the tolerance where
that is more, at most half the gain) is a finding, major where `attributed_to` names the policy; a
95 % interval above zero clears it.

## How to fix
Show the row with a constant or heuristic controller, and drop the policy where that scores as well.

## Source
Trick 4.8 of the hzwer list: useful or not, wrap it in a reinforcement-learning framework so the
model has more "autonomy".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repcheck.ablated import not_run, said_of, standing
from repcheck.claims.comparison import Comparison
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.network_words import words_of
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.worth import Worths
from repcheck.rule import (
    Answer,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import PolicySeen

FIX = "Show the row with a constant or heuristic controller."
WORDS = frozenset(
    {"rl", "reinforce", "reinforcement", "policy", "ppo", "dqn", "a2c", "a3c", "sac", "trpo"}
    | {"actor", "agent", "bandit", "grpo"}
)
PART = "the state that its policy sees"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of the method, in the run that stands for all."""

    sight: Sight
    run: Run
    seen: PolicySeen

    @property
    def most(self) -> tuple[int, float]:
        """Return the most frequent action and its share of the decisions."""
        share = max(self.seen.drawn) / max(1, sum(self.seen.drawn))
        return self.seen.drawn.index(max(self.seen.drawn)), share

    @property
    def information(self) -> tuple[float, bool]:
        """Return what the state tells of the action in bits, and whether that is all it may be.

        Where the policy changed with each decision, only the most that it can be is known.
        """
        seen = self.seen
        if seen.information is not None and seen.information_n:
            return seen.information, True
        return max(0.0, seen.marginal - seen.entropy), False


@rule("RC408", Severity.MINOR, part=Part.EFFECT, factors=("rl", "policy"))
def check(
    comparison: Comparison,
    worths: Worths,
    observed: Observed,
    *,
    constant: float = 0.95,
    bits: float = 0.01,
    least: int = 200,
) -> Answer:
    method = comparison.method
    arms = worths.of(comparison, "rl")
    refused = not_run(worths.refused(comparison, "rl"))
    named = method.rl.known or bool(_parts(comparison))
    unseen: Missing | None = None
    policies: list[Policy] = []
    try:
        policies = _policies(observed.of(method, comparison.dataset), named=named or bool(arms))
    except Missing as missing:
        unseen = missing
    if not (named or arms or refused or policies):
        return _none(comparison)
    severity = Severity.MINOR
    found: list[Outcome] = []
    for arm in arms:
        worth = standing(arm)
        found.append(said_of(worth, PART, severity=severity, at=method.rl.place, fix=FIX))
    found += refused
    for one in policies:
        found += _decides(comparison, one, constant=constant, bits=bits, least=least)
    if not arms and not refused and not worths.elsewhere(comparison, "rl"):
        found.append(_untested(comparison, policies, unseen))
    return found


def _parts(comparison: Comparison) -> list[str]:
    named = (part.name.get("") for part in comparison.method.components or ())
    return [name for name in named if words_of(name) & WORDS]


def _policies(sight: Sight, *, named: bool) -> list[Policy]:
    """Return each policy once, in the run in which its most frequent action has the middle share.

    Where nothing says that there is any, only those count that a gradient went through.
    """
    found: dict[tuple[str, int], list[Policy]] = {}
    for run, seen in sight.observations():
        for one in seen.policies:
            if named or one.scored:
                policy = Policy(sight=sight, run=run, seen=one)
                found.setdefault((one.via, one.actions), []).append(policy)
    middle = [sorted(runs, key=lambda one: one.most[1]) for runs in found.values()]
    return [runs[(len(runs) - 1) // 2] for runs in middle]


def _none(comparison: Comparison) -> NotApplicable:
    method = comparison.method
    if method.rl.undeclared:
        raise Missing(
            Reason.UNDECLARED_KEY, f"declare `{method.rl.path}` (`none` where nothing decides)"
        )
    return NotApplicable(message=f"`{method.id}` is stated as without reinforcement learning")


def _decides(
    comparison: Comparison, one: Policy, *, constant: float, bits: float, least: int
) -> Iterator[Outcome]:
    """Yield what a policy's own decisions show."""
    action, share = one.most
    told, whole = one.information
    n = one.seen.n
    what = f"the policy of `{comparison.method.id}` ({one.seen.actions} actions)"
    if n < least:
        yield Undetermined(
            message=f"{what} decided {n} times only",
            reason=Reason.NOT_OBSERVED,
            would_decide=f"a run with at least {least} decisions",
        )
        return
    blind = told < bits and (not whole or one.seen.information_n >= least)
    when = "after the last optimizer step" if one.seen.frozen else "the last"
    if share >= constant or blind:
        credited = comparison.contributes("rl") or any(
            words_of(name) & WORDS for name in comparison.offered
        )
        yield Flagged(
            message=f"{what} picks action {action} in {100 * share:.1f} % of {n} decisions"
            f" ({when}) and the state tells {told:.2f} bit of it",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MINOR if credited else Severity.NOTE,
            seen=_quantities(one),
            fix=FIX,
        )


def _quantities(one: Policy) -> tuple[Quantity, ...]:
    action, share = one.most
    told, _ = one.information
    return (
        one.sight.quantity(f"share of action {action}", round(share, 4), "", one.run),
        one.sight.quantity("what the state tells of the action", round(told, 4), "bit", one.run),
        one.sight.quantity("decisions", one.seen.n, "", one.run),
    )


def _untested(
    comparison: Comparison, policies: list[Policy], unseen: Missing | None
) -> Undetermined:
    method = comparison.method.id
    seen = tuple(quantity for one in policies for quantity in _quantities(one))
    words = f"no arm runs `{method}` with a policy that does not see the state"
    if not policies and unseen is None:
        words += "; and no policy was seen: what numpy draws, and the largest of the logits, is not"
    elif not policies and unseen is not None:
        words += f"; and its policy was not seen: {unseen.would_decide}"
    return Undetermined(
        message=words,
        reason=Reason.NOT_OBSERVED,
        would_decide=f"`arms: [{{id: {method}-marginal, of: {method}, factor: rl, kind: swap,"
        " override: {probe: {policy: {as: marginal}}}}]`",
        seen=seen,
    )
