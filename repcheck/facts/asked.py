"""How the language models of a comparison were asked, as a probe saw it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.predicted import Predicted
from repcheck.runs import Run
from repcheck.stats.two_shares import greater
from repcheck.visible import line

if TYPE_CHECKING:
    from repcheck.agent_seen import PromptSlot, PromptsSeen

RIGHT = 0.8
"""Share of a filled place's words that are the prompt's own answer: a hint is nearly always right,
and one option of a list is not."""
_OPTION = re.compile(r"\(?\s?[a-h1-9] [).:\]]|option|choice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One method's prompts in the run that stands for all: that with the middle count."""

    sight: Sight
    run: Run
    seen: PromptsSeen

    def quantity(self, name: str, value: float | str, unit: str = "") -> Quantity:
        """Return a number of these prompts as evidence."""
        return self.sight.quantity(name, value, unit, self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """How often prompts hold their own answer in one place of theirs.

    `own` of `n` prompts do; `chance` would with the answers dealt out anew, `p` is Fisher's.
    """

    place: str
    own: int
    n: int
    chance: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Fact):
    """The prompts of every method that a probe saw, and the answers that were right."""

    label: ClassVar[str] = "prompts"
    observed: Observed | None
    predicted: Predicted

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs, if there are any."""
        observed = evidence.get(Observed) if evidence.runs else None
        return cls(observed=observed, predicted=evidence.get(Predicted))

    def of(self, method: Method, dataset: str) -> Asking:
        """Return how a method was asked.

        Raises:
            Missing: if no prompt of it was seen, with what would show them.
        """
        if self.observed is None:
            raise Missing(Reason.NOT_OBSERVED, "rerun it with `repcheck check`")
        sight = self.observed.of(method, dataset)
        found = [
            Asking(sight=sight, run=run, seen=seen.prompts)
            for run, seen in sight.observations()
            if seen.prompts is not None
        ]
        gaps = [seen.gap("prompts") for _, seen in sight.observations()]
        if lost := next(filter(None, gaps), None):
            raise Missing(
                Reason.NOT_OBSERVED, f"prompts of `{method.id}` that are whole: {lost.why}"
            )
        gone = next((one.seen for one in found if one.seen.lost), None)
        if gone is not None:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"a record of `{method.id}` that is whole: of {gone.kept + gone.lost} prompts that"
                f" were written down {gone.lost} are not in it",
            )
        put = [one for one in found if one.seen.kept]
        if not put and any(one.seen.count for one in found):
            raise Missing(
                Reason.NOT_OBSERVED,
                f"texts: prompts of `{method.id}` were counted, and none could be read",
            )
        if not put and found:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"name in `{method.prompt.call.path}` the function that is given each prompt:"
                f" `{line(found[0].seen.what)}` was never called in the runs of `{method.id}`",
            )
        if not put:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"name in `{method.prompt.call.path}` the function that is given each prompt"
                f" (`module:function`): no prompt of `{method.id}` was seen",
            )
        return sorted(put, key=lambda one: one.seen.count)[(len(put) - 1) // 2]

    def hints(self, asking: Asking) -> list[Hint]:
        """Return how often prompts hold their own answer, place by place.

        Raises:
            Missing: if the answers are not known, or not which prompt they are of.
        """
        answers = self._answers(asking)
        found = []
        for slot in asking.seen.slots:
            if not _OPTION.search(slot.before) and not _OPTION.match(slot.after):
                found.append(_hint(slot, answers))
        return found

    def _answers(self, asking: Asking) -> list[str]:
        seen = asking.seen
        scored = self.predicted.of(asking.run)
        answers = [one.casefold() for one in scored.answers]
        if not answers:
            raise Missing(Reason.NOT_TESTABLE, "predictions whose labels are classes by name")
        if all(one.isdigit() for one in answers):
            raise Missing(
                Reason.NOT_TESTABLE, "predictions whose labels are words as a prompt would say them"
            )
        if not seen.ordered or seen.kept not in {scored.n, len(answers)}:
            raise Missing(
                Reason.NOT_TESTABLE,
                f"one prompt for each prediction, in one process and in their order: there are"
                f" {seen.count} prompts ({seen.kept} kept) and {scored.n} predictions",
            )
        return answers[: seen.kept]


def _hint(slot: PromptSlot, answers: list[str]) -> Hint:
    n = len(answers)
    own = sum(word == right for word, right in zip(slot.words, answers, strict=False))
    filled, right = Counter(slot.words), Counter(answers)
    chance = sum(filled[word] * count for word, count in right.items()) / n
    there = n - filled.get("", 0)
    p = greater(own, n, round(chance), n) if own >= RIGHT * there else 1.0
    place = " ".join(filter(None, (slot.before, "ANSWER", slot.after))).replace("^", "").strip()
    return Hint(place=place, own=own, n=n, chance=chance, p=p)


def reworded(ours: PromptsSeen, theirs: PromptsSeen) -> tuple[int, int]:
    """Return how many questions are put in other words, and how many one method is asked in all.

    That is not in the same words as to the other, but with the same beginning or end as one of its
    questions that is not put in the same words either. Other questions are not counted.
    """
    mine, others = (dict(zip(one.questions, one.ends, strict=False)) for one in (ours, theirs))
    odd = [ends for name, ends in mine.items() if name not in others]
    left = [ends.partition(":") for name, ends in others.items() if name not in mine]
    heads, tails = {head for head, _, _ in left}, {tail for _, _, tail in left}
    parts = [ends.partition(":") for ends in odd]
    return sum(head in heads or tail in tails for head, _, tail in parts), len(mine)


def more_words(ours: PromptsSeen, theirs: PromptsSeen) -> tuple[str, str]:
    """Return what the prompts of each side say around the question that the other's do not."""
    mine, others = (_said(one) for one in (ours, theirs))
    return " ".join(_beyond(mine, others)), " ".join(_beyond(others, mine))


def _said(seen: PromptsSeen) -> list[str]:
    return re.findall(r"\w+", f"{seen.prefix} {seen.suffix}")


def _beyond(words: list[str], others: list[str]) -> Iterator[str]:
    left = Counter(word.casefold() for word in others)
    for word in words:
        if left[word.casefold()]:
            left[word.casefold()] -= 1
        else:
            yield word
