"""A term of the training loss adds nothing to what the method scores.

## What it catches
A consistency, cycle or adversarial loss that fills a formula and moves no number: training without
it scores the same.

## When it is legitimate
Any term with an ablation that shows its effect, or says that it has none. A term that serves
another metric of a claim (calibration, FID) is worth what it does there.

## How it is decided
By an arm that trains the method without the term (`factor: losses.NAME, kind: remove`), with the
seeds of the method. What it is worth is the difference of both means. A 90 % interval within the
margin on both sides of zero is a finding, major where `attributed_to` names the term; a 95 %
interval above zero clears it. The margin is a quarter of the claimed gain, or the tolerance where
that is more, and at most half of the gain. In between, the seeds that would decide are named. A
term that the baseline states too, and the only term of a loss, are not asked about. An arm that
sets the weight at evaluation alone says nothing of a loss.

Where no arm decides, the loss that is trained by is looked at while it runs: if it is a sum of as
many operands as terms are declared, the gradient of each of them, over all that the optimizer
holds, spread evenly over the training (10 looks at least). A term with a mean share below 1 %, and
below 1 % on every single parameter too in nine looks of ten, is inert. A share above that shows no
effect: that takes an arm. A penalty on the weights, an entropy bonus and a divergence from a prior
work by adding up against nothing else, and stay open.
A term without any gradient cannot be told from a plain number that is added: that takes an arm too.

## How to fix
Drop the term, or show it in the ablation with what it is worth.

## Source
Trick 4.1 of the hzwer list: add odd GAN losses or consistency losses; hard to say if they help, and
formulas can be pasted.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.ablated import not_run, said_of, standing
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Loss
from repcheck.errors import Missing, Reason
from repcheck.facts.loss_terms import LossTerms, Share
from repcheck.facts.network_words import words_of
from repcheck.facts.worth import Worth, Worths, suggested
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
)  # fmt: skip
from repcheck.where import NOWHERE

FIX = "Drop the term, or show it in the ablation with what it is worth."
OFTEN = 0.9
"""Share of the looks in which a term that is inert is small."""
PENALTIES = frozenset(
    {"decay", "weight", "weights", "penalty", "reg", "regulariser", "regularizer", "l1", "l2"}
    | {"regularisation", "regularization", "ridge", "lasso", "sparsity", "bonus", "kl", "kld"}
    | {"divergence", "prior", "tv", "smoothness"}
)


@rule("RC401", Severity.MINOR, part=Part.EFFECT, factors=("losses", "loss"))
def check(
    comparison: Comparison,
    worths: Worths,
    seen: LossTerms,
    *,
    most: float = 0.01,
    looks: int = 10,
) -> Answer:
    arms = worths.of(comparison, "loss")
    refused = tuple(worths.refused(comparison, "loss"))
    terms = {loss.name.value: loss for loss in own_terms(comparison)}
    answers = [_answer(standing(arm), terms) for arm in arms]
    answers += not_run(refused)
    tested = {name for arm in arms for name in arm[0].names}
    tested |= {part.rpartition(".")[2] for one in refused for part in one.factors}
    open_terms = [name for name in terms if name not in tested]
    if open_terms and worths.elsewhere(comparison, "loss"):
        open_terms = []  # their arms are judged beside the other baseline
    elif not answers and not terms:
        return _nothing(comparison)
    gradient = _Gradient(comparison, seen, most, looks)
    return [*answers, *_untested(comparison, worths, open_terms, gradient)]


def own_terms(comparison: Comparison) -> list[Loss]:
    """Return the terms that the method adds: not its first one, and none that the baseline has."""
    stated = [loss for loss in comparison.method.losses or () if loss.name.known]
    shared = {loss.name.get("") for loss in comparison.baseline.losses or ()}
    used = [loss for loss in stated[1:] if loss.weight.get(1.0) != 0]
    return [loss for loss in used if loss.name.value not in shared]


def _answer(worth: Worth, terms: dict[str, Loss]) -> Outcome:
    name = next((name for name in worth.names if name in terms), worth.names[-1])
    at = terms[name].place if name in terms else NOWHERE
    return said_of(worth, f"`{name}`", severity=Severity.MINOR, at=at, fix=FIX)


def _nothing(comparison: Comparison) -> Answer:
    losses = comparison.method.losses
    if losses is None:
        path = comparison.method.place.join("losses")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{path}`")
    words = f"`{comparison.method.id}` states no term of its loss beside the first"
    if len(losses) > 1:
        words = f"`{comparison.baseline.id}` states every term of the loss of"
        words += f" `{comparison.method.id}` too"
    return NotApplicable(message=words)


def _untested(
    comparison: Comparison, worths: Worths, terms: list[str], gradient: _Gradient
) -> Iterator[Outcome]:
    for name in terms:
        share = gradient.of(name)
        if share is not None and gradient.is_inert(name, share):
            yield gradient.finding(name, share)
            continue
        arm = suggested(worths.claims, comparison.method, name, f"losses.{name}")
        words = f"no arm trains `{comparison.method.id}` without its loss `{name}`"
        yield Undetermined(
            message=f"{words}; {share.words}" if share is not None else words,
            reason=Reason.NOT_OBSERVED,
            would_decide=f"{arm}, as the command takes it",
            seen=share.quantity(name) if share is not None else (),
        )


class _Gradient:
    """What the terms of one method's loss were seen to give the gradient."""

    def __init__(self, comparison: Comparison, seen: LossTerms, most: float, looks: int) -> None:
        self.comparison, self.seen, self.most, self.looks = comparison, seen, most, looks

    def of(self, name: str) -> Share | None:
        return self.seen.of(self.comparison.method, name)

    def is_inert(self, name: str, share: Share) -> bool:
        if share.loss.n < self.looks or words_of(name) & PENALTIES:
            return False
        return share.term.mean < self.most and share.term.small >= OFTEN

    def finding(self, name: str, share: Share) -> Flagged:
        credited = {name, f"losses.{name}"}
        headline = any(credited & set(one.attributed_to.get(())) for one in self.comparison.claims)
        term = next(one for one in own_terms(self.comparison) if one.name.value == name)
        return Flagged(
            message=f"`{name}` of `{self.comparison.method.id}` is inert: {share.words}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR if headline else Severity.MINOR,
            seen=share.quantity(name),
            at=term.place,
            fix=FIX,
        )
