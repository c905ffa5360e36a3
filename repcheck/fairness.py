"""Whether a claim's comparison was fair: the worst of the rules that bear on it.

Independent of the reproduction verdict: a claim may reproduce perfectly and still be unfair.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repcheck.claims.model import Claim, ClaimType
from repcheck.effect import cause, remains
from repcheck.fact import Level
from repcheck.facts.effects import Effect
from repcheck.rule import RULES, Judgement, Kind, Part, Severity, State
from repcheck.stats.attribution import Attribution
from repcheck.tricks import TRICKS

EXPLAINED = 0.5
"""From this guaranteed share of the claimed gain on, a factor explains it and not just a part."""
_ANSWERED = {State.FLAGGED, State.CLEARED}

# What must be cleared before a claim of a type may be called fair as far as checked.
REQUIRED: dict[ClaimType, tuple[str, ...]] = {
    "improvement": (
        "RC101", "RC102", "RC103", "RC105", "RC108", "RC201", "RC202", "RC205", "RC300", "RC406",
        "RC503", "RC504", "RC509", "RC701", "RC705", "RC812", "RC814", "RC825",
    ),
    "efficiency": ("RC104", "RC105", "RC106", "RC107", "RC506", "RC507"),
    "speed": ("RC104", "RC105", "RC106", "RC107", "RC506", "RC507"),
    "convergence": ("RC101", "RC102", "RC103", "RC201", "RC406", "RC828"),
    "robustness": ("RC306", "RC505", "RC510", "RC708", "RC709"),
    "value": ("RC205", "RC501", "RC502", "RC509", "RC603", "RC702", "RC813"),
    "qualitative": ("RC511", "RC512"),
    "equivalence": ("RC205", "RC814"),
    "existence": ("RC602",),
}  # fmt: skip

# Checks that are required and have no rule yet, beside those of the list of tricks.
TO_COME: dict[str, str] = {
    "RC701": "val-in-test",
    "RC702": "hand-edited-predictions",
    "RC705": "unfixed-split",
    "RC708": "distribution-shift",
    "RC709": "ood-behaviour",
    "RC825": "simple-model-first",
} | {trick.code: trick.slug for trick in TRICKS}


def name_of(code: str) -> str:
    """Return the name of a required check, whether its rule exists or is to come."""
    return RULES[code].name if code in RULES else TO_COME.get(code, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """The fairness verdict on a claim, by which rules, and which required rules are open."""

    verdict: str
    by: tuple[str, ...] = ()
    words: str = ""
    cause: str = ""
    explained_at_least: float | None = None
    required_open: tuple[str, ...] = ()


class Bearing:
    """Judgements by what they speak of, so that each claim finds its own quickly."""

    def __init__(self, judgements: Iterable[Judgement]) -> None:
        self._by: dict[tuple[str, ...], list[Judgement]] = defaultdict(list)
        for judgement in judgements:
            for key in _keys(judgement):
                self._by[key].append(judgement)

    def on(self, claim: Claim) -> list[Judgement]:
        """Return every judgement that says something about a claim."""
        found = [*self._by[("paper",)], *self._by[("claim", claim.id.get(""))]]
        dataset, metric = claim.dataset.get(""), claim.metric.get("")
        found += self._by[("dataset", dataset)] if dataset else []
        for method in (claim.method.get(""), *claim.baselines.get(())):
            found += self._by[("method", method)]
            found += self._by[("result", method, dataset, metric)]
        return found


def _keys(judgement: Judgement) -> list[tuple[str, ...]]:
    if judgement.claims:
        return [("claim", name) for name in judgement.claims]
    if judgement.subject_kind == "paper":
        return [("paper",)]
    if judgement.subject_kind == "result":
        method, *between, metric = judgement.subject_id.split("/")
        dataset = "/".join(between)
        return [("result", method, name, metric) for name in {dataset, ""}]
    return [(judgement.subject_kind, judgement.subject_id)]


def fairness(
    claim: Claim, judgements: Sequence[Judgement], effects: Sequence[Effect] = ()
) -> Fairness:
    """Conclude from the judgements that bear on a claim, and from the arms put to it."""
    flagged = [j for j in judgements if j.state is State.FLAGGED]
    critical = [j for j in flagged if j.severity is Severity.CRITICAL and _measured(j)]
    answered = _answered(judgements)
    unequal = [
        j for j in flagged
        if j.part is Part.PROTOCOL and j.severity in {Severity.MAJOR, Severity.CRITICAL}
        and not (j.kind is Kind.ASYMMETRY and (j.rule, j.subject_id) in answered)
    ]  # fmt: skip
    open_rules = _required_open(claim, judgements)
    if critical:
        return _because("invalid", critical, open_rules)
    if (explained := _explained(effects, flagged, open_rules)) is not None:
        return explained
    if unequal:
        return _because("asymmetric", unequal, open_rules)
    lesser = [j for j in flagged if j.severity is not Severity.NOTE]
    cleared = {j.rule for j in judgements if j.state is State.CLEARED} & {*REQUIRED[claim.kind]}
    untested = claim.kind == "equivalence"  # its two one-sided tests are no rule's yet
    if not lesser and not open_rules and cleared and not untested:
        words = "no finding, and every check that applies to this type of claim was cleared"
        return Fairness(verdict="fair-as-far-as-checked", words=words)
    words = f"{len(open_rules)} of the checks that this type of claim requires are open"
    if not open_rules and not cleared:
        words = "none of the checks that this type of claim requires applies, so none was made"
    if untested:
        words = f"whether both are equivalent was not tested; {words}"
    if lesser:
        words = f"{_names(lesser)} flagged; {words}"
    return Fairness(
        verdict="insufficiently-checked",
        by=tuple(dict.fromkeys(j.rule for j in lesser)),
        words=words,
        required_open=open_rules,
    )


def _answered(judgements: Sequence[Judgement]) -> set[tuple[str, str]]:
    """Return the rules, each with its subject, of which the arms answered for every finding."""
    about = [(j, (j.rule, j.subject_id)) for j in judgements]
    arms = Counter(k for j, k in about if j.part is Part.EFFECT and j.state in _ANSWERED)
    found = Counter(k for j, k in about if j.part is Part.PROTOCOL and j.kind is Kind.ASYMMETRY
                    and j.severity is not Severity.NOTE)  # fmt: skip
    return {key for key in arms if arms[key] >= found[key]}


def _explained(
    effects: Sequence[Effect], flagged: Sequence[Judgement], open_rules: tuple[str, ...]
) -> Fairness | None:
    """Return what the arms explain of the claimed gain, by the arm that explains the most of it."""
    heard = [
        (effect, effect.attribution)
        for effect in effects
        if effect.speaks
        and effect.attribution is not None
        and effect.attribution.verdict in {"gone", "reduced"}
    ]
    if not heard:
        return None
    most, found = max(heard, key=lambda one: (_share(one[1]), len(one[0].arm.factors) < 2))
    share = _share(found)
    wholly = found.verdict == "gone" or share >= EXPLAINED
    by = [j.rule for j in flagged if j.part is Part.EFFECT]
    return Fairness(
        verdict="explained" if wholly else "partly-explained",
        by=tuple(dict.fromkeys(by)),
        words=remains(most),
        cause=cause(most),
        explained_at_least=round(share, 4),
        required_open=open_rules,
    )


def _share(found: Attribution) -> float:
    return min(1.0, found.explained_at_least or 0.0)


def _measured(judgement: Judgement) -> bool:
    return judgement.level is not None and judgement.level.rank >= Level.OBSERVED.rank


def _names(judgements: Sequence[Judgement]) -> str:
    return ", ".join(dict.fromkeys(f"{j.name} ({j.rule})" for j in judgements))


def _because(verdict: str, found: Sequence[Judgement], open_rules: tuple[str, ...]) -> Fairness:
    effect = {"asymmetric": "; its effect on the claim is not measured"}.get(verdict, "")
    return Fairness(
        verdict=verdict,
        by=tuple(dict.fromkeys(j.rule for j in found)),
        words=f"{_names(found)}: {found[0].message}{effect}",
        cause=f"{found[0].message.partition(' (')[0]} ({found[0].rule})",
        required_open=open_rules,
    )


def _required_open(claim: Claim, judgements: Sequence[Judgement]) -> tuple[str, ...]:
    spoke = {judgement.rule for judgement in judgements}
    undecided = {State.UNDETERMINED, State.ERROR}
    unsettled = {judgement.rule for judgement in judgements if judgement.state in undecided}
    return tuple(code for code in REQUIRED[claim.kind] if code not in spoke - unsettled)
