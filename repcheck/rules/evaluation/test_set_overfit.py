"""Test examples were trained on, or the test set chose the weights that are reported.

## What it catches
Test examples in the training stream, whatever they are called there; a checkpoint that is kept
because it was best on the test set, and reported on it.

## When it is legitimate
The test set evaluated every epoch for a log, with the last weights reported; a validation set that
chooses; duplicates that the data have by nature; transductive protocols that are stated; folds of
a cross-validation.

## How it is decided
The test set of a rerun is the evaluated set with the stated size, or the only one, or the only one
that is left without validation and training data. Its examples are looked for among the trained
ones by index of one dataset, by content of the stored data, and by content of what enters the
model: one is enough to be critical, up to 0.1 % by content alone is minor, and no more than the
duplicates within training would give is a note. A leak in the baseline's training favours the
baseline and is minor. Nothing found in a sample of the rows clears nothing; nor does it where the
weights came from out of sight: values that no optimizer held, rows that may have been trained on, a
first loss far below that of a guess with no pretraining stated.

Altered copies are looked for in a sheet of up to 2,000 rows of training and of the test set, as
they were fed on the CPU: a correlation of 0.995 or more, for images also after a shift of up to 2
pixels each way or mirrored. More of them than the near copies within training explain (a one-sided
binomial test at 1 %, three at least) are major where they are over 0.1 % of the evaluated rows or
five times the natural rate, else a note. Rows beyond the sheet, stronger alterations (crops,
colours) and text are not recognised. Selection: the only evaluated set was evaluated three times or
more during training, weights were saved after some of these passes in no regular rhythm, and the
final evaluation used such earlier weights: major. So is `model_selection: {checkpoint: best, split:
test}` as stated.

## How to fix
Take the test examples out of training, choose on a validation split, rerun, and report that.

## Source
Trick 5.9 of the hzwer list: overfit the test set in disguise: leak data, leak the random seed, put
test samples into upstream pretraining.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.first_loss import guess
from repcheck.facts.leak import (
    Tested,
    Tests,
    during_training,
    earlier_weights,
    folds,
    selected,
    transductive,
)
from repcheck.facts.near_leak import Near, near_leak
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Severity,
    Undetermined,
    rule,
)

UNSEEN = "altered copies (noise, flips)"
NEAR_FIX = (
    "Take near copies of test examples out of training (compare them before any augmentation),"
    " rerun, and report that."
)
UNSURE = 0.02
LEARNT = 0.7
"""Below this share of a guess's loss, weights have learnt before."""


@rule("RC509", Severity.MAJOR, worst=Severity.CRITICAL, factors=("leak", "model_selection", "test"))
def check(method: Method, tests: Tests, *, few: float = 0.001, passes: int = 3) -> Answer:
    stated = _stated(method)
    try:
        found = tests.of(method)
    except Missing:
        if stated:
            return stated
        raise
    outcomes: list[Outcome] = [*stated]
    for tested in found:
        near = near_leak(tested)
        outcomes += [*_leak(method, tested, few, near), *_selection(method, tested, passes)]
        outcomes += _near(method, tested, near, few)
    weighty = [o for o in outcomes if isinstance(o, Flagged) and o.severity is not Severity.NOTE]
    notes = [o for o in outcomes if isinstance(o, Flagged) and o.severity is Severity.NOTE]
    unsettled = [o for o in outcomes if isinstance(o, Undetermined)]
    if weighty or unsettled:
        return [*weighty, *notes, *unsettled]
    return [*notes, _all_clear([o for o in outcomes if isinstance(o, Cleared)])]


def _all_clear(parts: list[Cleared]) -> Cleared:
    seen = tuple(
        quantity
        for part in parts
        for quantity in (part.seen if isinstance(part.seen, tuple) else (part.seen,))
    )
    return Cleared(
        message="; ".join(part.message for part in parts),
        seen=seen,
        limit="; ".join(dict.fromkeys(part.limit for part in parts)),
    )


def _stated(method: Method) -> list[Flagged]:
    stated = method.model_selection
    if stated.checkpoint.get("last") != "best" or stated.split.get("val") != "test":
        return []
    return [
        Flagged(
            message=f"`{method.id}` reports the checkpoint that is best on the test set, as stated",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=Quantity(
                name=f"{method.id}.model_selection", value="best on test", source=str(stated.place)
            ),
            at=stated.split.place,
            disclosed=stated.split.disclosure.in_paper,
        )
    ]


def _near(method: Method, tested: Tested, near: Near | None, few: float) -> list[Flagged]:
    """Find altered copies, more than by nature, of the set that is surely the test set."""
    if near is None or not near.beyond or not tested.sure:
        return []
    if transductive(tested.dataset) or folds(tested):
        return []
    heavy = near.heavy(few)
    weight = Severity.MINOR if heavy and _baseline(method) else Severity.MAJOR
    return [
        Flagged(
            message=f"`{method.id}`: {near.words}, more than by nature; taken for the test set"
            f" because {tested.because}",
            kind=Kind.OMISSION,
            severity=weight if heavy else Severity.NOTE,
            seen=near.quantities(tested),
            at=method.place,
            fix=NEAR_FIX,
        )
    ]


def _leak(method: Method, tested: Tested, few: float, near: Near | None) -> list[Outcome]:
    trained, size = tested.set.trained, tested.set.examples
    if trained is None or size is None:
        return [_unseen(tested, "which of its examples were trained on could not be seen")]
    seen = (
        tested.quantity("test examples trained on", trained),
        tested.quantity("test examples", size),
    )
    words = f"{_at_least(tested)}{trained:,} of {size:,} evaluated examples of `{method.id}`"
    if transductive(tested.dataset):
        return [Cleared(message=f"{words} were trained on, in a stated transductive protocol",
                        seen=seen, limit="labels are not seen")]  # fmt: skip
    if not trained:
        return [_no_leak(method, tested, words, seen, near)]
    why = f"recognised by {tested.layer}; taken for the test set because {tested.because}"
    if not tested.sure:
        return [_which_set(tested, f"{words} were trained on", seen)]
    if folds(tested):
        return [_folds(tested, f"{words} were trained on ({why})", seen)]
    if tested.natural():
        if (open_ := _out_of_sight(method, tested, words, seen)) is not None:
            return [open_]
        natural = f"as {tested.chance():.0f} natural duplicates would give"
        return [
            _flag(method, tested, f"{words} are in its training data, {natural}", Severity.NOTE),
            Cleared(message=f"{words} are in its training data, {natural}", seen=seen,
                    limit=f"more than the duplicates within training; {UNSEEN}"),
        ]  # fmt: skip
    by_content = not tested.set.trained_index and trained <= few * size
    weight = Severity.MINOR if by_content or _baseline(method) else Severity.CRITICAL
    return [_flag(method, tested, f"{words} are in its training stream ({why})", weight)]


def _baseline(method: Method) -> bool:
    return method.role.get("proposed") in {"baseline", "trivial"}


def _flag(method: Method, tested: Tested, words: str, weight: Severity) -> Flagged:
    size, training = tested.dataset.train.size, tested.training
    grown = training is not None and training.unique is not None and size.known
    more = bool(grown and training and (training.unique or 0) > size.value)
    added = f"; {training.unique:,} examples trained on, {size} stated" if more and training else ""
    return Flagged(
        message=f"{words}{added}",
        kind=Kind.MISMATCH if more else Kind.OMISSION,
        severity=weight,
        seen=(
            tested.quantity("test examples trained on", tested.set.trained or 0),
            tested.quantity("test examples", tested.set.examples or 0),
        ),
        at=method.place,
    )


def _at_least(tested: Tested) -> str:
    if tested.set.share >= 1:
        return ""
    return f"in a sample of {tested.set.share:.0%} of the rows, "


def _out_of_sight(
    method: Method, tested: Tested, words: str, seen: tuple[Quantity, ...]
) -> Undetermined | None:
    """Return that more may have been trained on, where not all that made the weights was seen."""
    gap = tested.seen.gap("training", "weights")
    why = gap.why if gap is not None else _by_others(method, tested)
    if not why:
        return None
    return Undetermined(
        message=f"{words} were trained on in sight; not all was seen: {why}",
        reason=Reason.NOT_OBSERVED,
        would_decide="a rerun in which every change of the weights is seen",
        seen=seen,
    )


def _by_others(method: Method, tested: Tested) -> str:
    """Return what else may have made the weights: rows nobody is sure of, an earlier training."""
    training = tested.training
    if training is None:
        return "" if tested.seen.fits else "no optimizer step was"
    rows = (training.samples or 0) + training.unsure
    if training.unsure > UNSURE * rows:
        return f"{training.unsure:,} of {rows:,} rows may have been trained on or not"
    expected, first = guess(training), training.first_loss
    stated = method.pretrained.declared or method.train.resumed_from.known
    if expected is None or first is None or stated or first >= LEARNT * expected.value:
        return ""
    return f"its first loss is {first:.3g} and that of a guess {expected.value:.2f}"


def _no_leak(
    method: Method, tested: Tested, words: str, seen: tuple[Quantity, ...], near: Near | None
) -> Outcome:
    if not tested.sure and any(one.trained != 0 for one in tested.others):
        none = f"{words} were trained on, and of another set some, or nobody knows how many"
        return _which_set(tested, none, seen)
    if (open_ := _out_of_sight(method, tested, words, seen)) is not None:
        return open_
    if tested.set.share < 1:
        return Undetermined(
            message=f"{words} were trained on; the other rows were not compared",
            reason=Reason.BUDGET_EXHAUSTED,
            would_decide="a rerun that compares every row (a larger share of time for the probe)",
            seen=seen,
        )
    named = ", ".join(tested.layers)
    others = "" if len(tested.layers) > 1 else " or copies under other indices"
    unseen = f"{UNSEEN}{others if tested.set.trained_index is not None else ''}"
    message = f"{words} were trained on (looked for by {named})"
    if near is None:
        return Cleared(message=message, seen=seen, limit=f"one exact copy; not {unseen}")
    if near.found.near and not near.beyond:
        message += f"; {near.words}, as by nature"
    seen = (*seen, *near.quantities(tested))
    return Cleared(message=message, seen=seen, limit=f"one exact copy, or {near.limit}")


def _unseen(tested: Tested, why: str) -> Undetermined:
    return Undetermined(
        message=f"`{tested.method}`: {why}",
        reason=Reason.NOT_OBSERVED,
        would_decide="a rerun whose data come from datasets that the probe can compare by index or "
        "by stored content",
        seen=tested.quantity("test examples", tested.set.examples or 0),
    )


def _which_set(tested: Tested, words: str, seen: tuple[Quantity, ...]) -> Undetermined:
    return Undetermined(
        message=f"{words}, and which of the evaluated sets gives the reported number is not known",
        reason=Reason.UNDECLARED_KEY,
        would_decide=f"declare `{tested.dataset.test.size.path}`",
        seen=seen,
    )


def _folds(tested: Tested, words: str, seen: tuple[Quantity, ...]) -> Undetermined:
    return Undetermined(
        message=f"{words}, and several models were trained in one run: folds of a "
        "cross-validation look like this",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"a command that trains one fold, or declare "
        f"`{tested.dataset.split.folds.path}`",
        seen=seen,
    )


def _selection(method: Method, tested: Tested, least: int) -> list[Outcome]:
    during = during_training(tested)
    saved, earlier = selected(tested), earlier_weights(tested)
    seen = (
        tested.quantity("test evaluations", len(during), "passes"),
        tested.quantity("test evaluations followed by a save", sum(o.saved for o in during), ""),
    )
    words = f"`{method.id}` evaluates the test set {len(during)} times"
    if len(during) < least:
        return [Cleared(message=words, seen=seen, limit=f"{least} evaluations")]
    if tested.others or earlier is not None or saved is not None:
        return [_chosen(method, tested, words, seen)]
    if _reports_last(method):
        message = f"{words}, and reports the last weights"
        return [Cleared(message=message, seen=seen, limit="earlier weights that are evaluated "
                        "again; not a best number that is only written down")]  # fmt: skip
    return [_which(method, f"{words}; which of the numbers is reported is not seen", seen)]


def _chosen(method: Method, tested: Tested, words: str, seen: tuple[Quantity, ...]) -> Outcome:
    saved, earlier = selected(tested), earlier_weights(tested)
    final = tested.final
    if tested.others:
        if earlier is None and _reports_last(method):
            return Cleared(message=f"{words}, and reports the last weights", seen=seen,
                           limit="earlier weights that are evaluated again")  # fmt: skip
        others = ", ".join(f"{one.examples or 'unknown'}" for one in tested.others)
        message = f"{words}, beside other sets ({others} examples): which one chooses is not seen"
        return _which(method, message, seen)
    during = during_training(tested)
    kept = {during[i].n for i in saved or ()}
    if earlier is None or final is None or earlier.n not in kept:
        return _which(
            method, f"{words} and saves weights after {len(kept) or 'some'} of them", seen
        )
    declared = method.model_selection.checkpoint
    return Flagged(
        message=f"{words}, saves weights after {len(kept)} of these passes, and reports those of "
        f"step {earlier.at} after {final.at} steps; no other set is evaluated that could have "
        "chosen them",
        kind=Kind.MISMATCH if _reports_last(method) else Kind.OMISSION,
        severity=Severity.MAJOR,
        seen=(*seen, tested.quantity("step of the reported weights", earlier.at, "steps")),
        at=declared.place if declared.known else method.place,
    )


def _reports_last(method: Method) -> bool:
    stated = method.model_selection.checkpoint
    return stated.known and stated.value == "last"


def _which(method: Method, message: str, seen: tuple[Quantity, ...]) -> Undetermined:
    return Undetermined(
        message=message,
        reason=Reason.NOT_OBSERVED,
        would_decide=f"an artifact that evaluates the test set once, or declare "
        f"`{method.model_selection.checkpoint.path}`",
        seen=seen,
    )
