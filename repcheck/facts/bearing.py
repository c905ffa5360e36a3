"""Whether what an arm changes can have to do with the gain at all, and with whose.

A factor explains a gain only if method and baseline differ in it. What both have, what neither has,
and what the method needs but the baseline would gain nothing from, explains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from repcheck.arms import Arm
from repcheck.claims.comparison import Comparison, parts_of
from repcheck.claims.model import Method
from repcheck.claims.offer import LENGTHS, SIZES, canonical, plain
from repcheck.facts.arm_diff import Change, alike, counted, reading
from repcheck.facts.axes import longer
from repcheck.facts.factors import stated_as_text
from repcheck.facts.network_words import CATEGORY_WORDS, in_words, words_of
from repcheck.runs import Run

BUDGET = (
    *LENGTHS, "train.batch_size", "train.grad_accum", "train.devices", "train.repeats",
    "train.views", "train.subset",
)  # fmt: skip
_COST = frozenset({"train_flops", "flops a sample"})
_SIZE = frozenset({"parameters", "evaluated parameters"})
"""Networks of one size may still be different ones."""
_EMPTY = frozenset({"", "no", "none", "off", "on", "true", "false", "of", "the", "new", "with"})
_OTHER = frozenset(
    {"data", "leak", "test", "stride", "resolution", "input", "train_distribution"}
)  # fmt: skip
_LONG = 3


def offers(comparison: Comparison, arm: Arm) -> bool:
    """Return whether an arm changes what the paper offers, by whichever name it is called."""
    factors = {*arm.factors}
    axis = arm.target.axis if arm.target is not None else ""
    if arm.kind == "aligned" and axis != "flops a sample":
        factors |= {*BUDGET}
    if axis in _COST or any(plain(factor) in SIZES for factor in arm.factors):
        factors |= SIZES
    if any(map(comparison.contributes, factors)):
        return True
    if arm.method == comparison.method.id and any(map(comparison.owns, arm.factors)):
        return True
    parts = [part for factor in arm.factors for part in parts_of(factor)]
    return any(in_words(comparison, part) or _alluded(comparison, part, arm) for part in parts)


def _alluded(comparison: Comparison, part: str, arm: Arm) -> bool:
    """Return whether a name that is no key of the format is short for a part of the offer."""
    if is_key(comparison.method, part):
        return False
    said = words_of(part) - _EMPTY
    for text in (*arm.set, *arm.set.values(), *arm.flags):
        said |= words_of(text) - _EMPTY
    for name in comparison.offered:
        words = words_of(name) - _EMPTY
        initials = "".join(word[0] for word in plain(name).split("_") if word)
        short, whole = (plain(text).replace("_", "") for text in (part, name))
        within = min(len(short), len(whole)) >= _LONG and (short in whole or whole in short)
        if said & words or within or (len(short) > 1 and short == initials):
            return True
    return False


def is_key(method: Method, factor: str) -> bool:
    """Return whether a factor is called by a key of the format, or by what people call one."""
    key = canonical(factor)
    head = key.partition(".")[0]
    words = frozenset().union(*CATEGORY_WORDS.values())
    known = hasattr(method, head) or head in _OTHER or plain(head) in words
    return known or plain(key) in SIZES or key in LENGTHS


def moot(comparison: Comparison, arm: Arm, changes: Sequence[Change], runs: Iterable[Run]) -> str:
    """Return why an arm says nothing of the gain: method and baseline are alike in its factor.

    `changes` is what was seen to change; "" where they differ, or where that is not known.
    """
    if arm.target is not None or not arm.factors:
        return ""
    sides = {
        method: [run for run in runs if run.arm == method]
        for method in (comparison.method.id, comparison.baseline.id, arm.id)
    }
    ours, theirs = (sides[one.id] for one in (comparison.method, comparison.baseline))
    names = f"`{comparison.method.id}` and `{comparison.baseline.id}`"
    told = " and ".join(f"`{factor}`" for factor in arm.factors[:4])
    parts = [canonical(part) for factor in arm.factors for part in factor.split("+")]
    if arm.method == comparison.method.id and longer(theirs, sides[arm.id]):
        return f"`{arm.id}` is trained shorter than `{comparison.baseline.id}`"
    if all(part in LENGTHS for part in parts):
        return "" if _unlike_in_length(ours, theirs) else f"{names} are trained as long"
    telling = [change for change in changes if change.key not in _SIZE]
    if telling:
        return f"{names} are alike in {told}" if _seen_alike(telling, ours, theirs) else ""
    stated = [[stated_as_text(m, p) for m in (comparison.method, comparison.baseline)]
              for p in parts]  # fmt: skip
    alike_stated = all(a is not None and a == b for a, b in stated)
    return f"{names} are stated to be alike in {told}" if alike_stated else ""


def _unlike_in_length(ours: Sequence[Run], theirs: Sequence[Run]) -> bool:
    seen = [run.observation and run.observation.training for run in (*ours, *theirs)]
    return longer(ours, theirs) or not (ours and theirs and all(seen))


def _seen_alike(changes: Sequence[Change], ours: Sequence[Run], theirs: Sequence[Run]) -> bool:
    """Return whether both sides have one value of everything that the arm changed."""
    pairs = [(reading(a), reading(b)) for a, b in zip(ours, theirs, strict=False)]
    if not pairs:
        return False
    for change in changes:
        for mine, other in pairs:
            if change.key not in mine or change.key not in other:
                return False
            if change.key == "network":
                touched = {*_ops(change.before), *_ops(change.after)}
                counts = [counted(str(one["network"])) for one in (mine, other)]
                if any(counts[0].get(op, 0) != counts[1].get(op, 0) for op in touched):
                    return False
            elif not alike(change.key, mine[change.key], other[change.key]):
                return False
    return True


def _ops(told: str) -> Counter[str]:
    return Counter(counted(told)) if told != "nothing" else Counter()
