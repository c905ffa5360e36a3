"""What several metrics of one method on one dataset say about each other.

Every relation is one that averages over seeds, folds or images keep (an order, a linear identity,
or one side of a convex one), so that an honest average is never at odds with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, log, log10

from repcheck.stats.printed import Interval, Printed, Rounding

_MODES = (Rounding.NEAREST, Rounding.TRUNCATED, Rounding.ANY)
_PARTS = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_VARIANTS = frozenset({"macro", "micro", "weighted", "mean", "avg", "m"})
_TINY = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Two or three metrics that contradict each other, as `words` say.

    `mode` is the strictest reading under which they do not, None if they do under any;
    `certain` is false where a common other definition of a metric would explain it.
    """

    names: tuple[str, ...]
    words: str
    mode: Rounding | None
    certain: bool = True


Cells = Mapping[str, Printed]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """Metric names by what they are."""

    cells: Cells
    words: Mapping[str, frozenset[str]]

    def find(self, *words: str, without: Sequence[str] = ()) -> Iterator[str]:
        """Yield the metrics whose name has all these words and none of the others."""
        wanted, barred = frozenset(words), frozenset(without)
        for name, parts in self.words.items():
            if wanted <= parts and not barred & parts:
                yield name

    def same(self, one: str, other: str, apart: frozenset[str]) -> bool:
        """Return whether two names differ in these words only."""
        return self.words[one] - apart == self.words[other] - apart


def contradictions(cells: Cells, *, most: Fraction | int = 100) -> tuple[Relation, ...]:
    """Return what contradicts itself among the metrics of one row.

    `most` is what a perfect score prints (100 for percent, 1 for a fraction).
    """
    named = _Named(cells=cells, words={name: _words(name) for name in cells})
    made = (_ordered, _errors, _squares, _losses, _bits, _noise, _f1, _overlaps)
    return tuple(found for check in made for found in check(named, Fraction(most)))


def relations_asked(cells: Cells) -> int:
    """Return how many pairs of metrics have a relation at all."""
    named = _Named(cells=cells, words={name: _words(name) for name in cells})
    pairs = [_order_pairs(named), _error_pairs(named), _square_pairs(named), _loss_pairs(named)]
    pairs += [_bit_pairs(named), _both(named, ("psnr",), ("mse",)), _overlap_pairs(named)]
    return sum(len(list(found)) for found in [*pairs, _f1_triples(named)])


def _words(name: str) -> frozenset[str]:
    text = name.lower().replace("@", " ")
    parts = _PARTS.findall(text)
    if parts and parts[0] in {"map", "ap"}:
        parts[0] = "ap"
        parts = [{"0.5": "50", "0.75": "75"}.get(part, part) for part in parts if part != ".95"]
    return frozenset(parts)


def _weakest(holds: Mapping[Rounding, bool]) -> Rounding | None:
    return next((mode for mode in _MODES if holds[mode]), None)


# --- order ------------------------------------------------------------------------------------

_K_SERIES = (("top",), ("r",), ("recall",), ("hit",), ("hits",), ("pass",), ("acc",), ("accuracy",))


def _order_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    """Yield pairs of which the first can never be above the second."""
    for series in _K_SERIES:
        found = list(named.find(*series, without=("error", "err", "map")))
        for one in found:
            for other in found:
                a, b = _number(named.words[one]), _number(named.words[other])
                if a is None or b is None or a >= b:
                    continue
                if named.same(one, other, frozenset(named.words[one] ^ named.words[other])):
                    alike = named.words[one] - {str(a)} == named.words[other] - {str(b)}
                    if alike and (
                        "top" in named.words[one] or series[0] not in {"acc", "accuracy"}
                    ):
                        yield one, other
    for other in named.find("top", without=("error", "err")):
        plain = named.words[other] - {"top", "acc", "accuracy"}
        if len(plain) == 1 and (_number(plain) or 0) > 1:
            bare = [one for one in named.cells if named.words[one] in ({"acc"}, {"accuracy"})]
            yield from ((one, other) for one in bare)
    for other in named.find("ap", "50"):
        rest = named.words[other] - {"50"}
        yield from ((one, other) for one in named.cells if named.words[one] == rest | {"75"})
        yield from ((one, other) for one in named.cells if named.words[one] == rest)
    yield from _both(named, ("em",), ("f", "1"))
    yield from _both(named, ("exact", "match"), ("f", "1"))
    yield from _both(named, ("mae",), ("rmse",))


def _number(words: frozenset[str]) -> int | None:
    numbers = [int(word) for word in words if word.isdigit()]
    return numbers[0] if len(numbers) == 1 else None


def _both(named: _Named, one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for a in named.find(*one):
        for b in named.find(*other):
            if named.words[a] - set(one) == named.words[b] - set(other):
                yield a, b


def _ordered(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for one, other in dict.fromkeys(_order_pairs(named)):
        a, b = named.cells[one], named.cells[other]
        holds = {mode: a.within(mode).low <= b.within(mode).high for mode in _MODES}
        if not holds[Rounding.NEAREST]:
            words = f"{one} {a.text} is above {other} {b.text}, which it cannot be"
            named_so = named.words[one] | named.words[other]
            # A column of that name alone may show errors, which fall with k.
            said_so = bool(named_so & {"acc", "accuracy"}) or ("↑" in one and "↑" in other)
            certain = said_so or not {"top", "hit", "hits"} & named_so
            names = (one, other)
            yield Relation(names=names, words=words, mode=_weakest(holds), certain=certain)


# --- identities -------------------------------------------------------------------------------


def _error_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    for error in ("error", "err"):
        for score in ("acc", "accuracy"):
            apart = frozenset({error, score, "rate"})
            for one in named.find(error):
                for other in named.find(score):
                    if named.same(one, other, apart):
                        yield one, other


def _errors(named: _Named, most: Fraction) -> Iterator[Relation]:
    for one, other in _error_pairs(named):
        a, b = named.cells[one], named.cells[other]
        holds = {}
        for mode in _MODES:
            error, score = a.within(mode), b.within(mode)
            holds[mode] = error.low + score.low <= most <= error.high + score.high
        if not holds[Rounding.NEAREST]:
            total = float(a.value + b.value)
            words = f"{one} {a.text} and {other} {b.text} make {total:g}, not {float(most):g}"
            yield Relation(names=(one, other), words=words, mode=_weakest(holds))


def _square_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    for one in named.find("rmse"):
        for other in named.find("mse", without=("rmse",)):
            if named.words[one] - {"rmse"} == named.words[other] - {"mse"}:
                yield one, other


def _squares(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for one, other in _square_pairs(named):
        a, b = named.cells[one], named.cells[other]
        # The mean of squares is at least the square of the mean, whatever was averaged.
        holds = {
            mode: max(Fraction(0), a.within(mode).low) ** 2 <= b.within(mode).high
            for mode in _MODES
        }
        if not holds[Rounding.NEAREST]:
            words = f"{one} {a.text} squared is above {other} {b.text}"
            yield Relation(names=(one, other), words=words, mode=_weakest(holds))


def _loss_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    for perplexity in ("ppl", "perplexity"):
        for loss in ("loss", "nll", "ce", "bpc"):
            for one in named.find(perplexity):
                for other in named.find(loss):
                    if named.same(one, other, frozenset({perplexity, loss})):
                        yield one, other


def _losses(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for one, other in _loss_pairs(named):
        a, b = named.cells[one], named.cells[other]
        if abs(b.value) > 50:
            continue
        base = log(2) if "bpc" in named.words[other] else 1.0
        holds = {}
        for mode in _MODES:
            # exp is convex: averaged perplexities are at least exp of the averaged loss. A loss in
            # bits has base two.
            least = exp(float(b.within(mode).low) * min(base, log(2)))
            holds[mode] = float(a.within(mode).high) >= least * (1 - 1e-9)
        if not holds[Rounding.NEAREST]:
            words = f"{one} {a.text} is below exp of {other} {b.text}, in nats or bits"
            yield Relation(names=(one, other), words=words, mode=_weakest(holds), certain=False)


def _bit_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    for loss in ("loss", "nll", "ce"):
        yield from _both(named, ("bpc",), (loss,))


def _bits(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for one, other in _bit_pairs(named):
        a, b = named.cells[one], named.cells[other]
        holds = {}
        for mode in _MODES:
            bits, nats = a.within(mode), b.within(mode)
            # A linear identity, which averages keep; a loss may be in bits itself.
            holds[mode] = any(
                float(bits.low) <= float(nats.high) / base * (1 + 1e-9)
                and float(bits.high) >= float(nats.low) / base * (1 - 1e-9)
                for base in (log(2), 1.0)
            )
        if not holds[Rounding.NEAREST]:
            words = f"{one} {a.text} is not {other} {b.text} in bits (divided by ln 2)"
            yield Relation(names=(one, other), words=words, mode=_weakest(holds), certain=False)


def _noise(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for one, other in _both(named, ("psnr",), ("mse",)):
        a, b = named.cells[one], named.cells[other]
        holds = {}
        for mode in _MODES:
            error = float(b.within(mode).high)
            # -log is convex: an averaged PSNR is at least that of the averaged error. A peak of
            # one is the least in use, hence the lowest bound.
            holds[mode] = error <= 0 or float(a.within(mode).high) >= -10 * log10(error) - 1e-9
        if not holds[Rounding.NEAREST]:
            words = f"{one} {a.text} is below that of {other} {b.text} with a peak of one"
            yield Relation(names=(one, other), words=words, mode=_weakest(holds), certain=False)


# --- means of two -----------------------------------------------------------------------------


def _f1_triples(named: _Named) -> Iterator[tuple[str, str, str]]:
    for f1 in named.find("f", "1", without=("em",)):
        rest = named.words[f1] - {"f", "1", "score"}
        for p_words in ({"precision"}, {"prec"}, {"p"}):
            for r_words in ({"recall"}, {"rec"}, {"r"}):
                p = [n for n in named.cells if named.words[n] == rest | p_words]
                r = [n for n in named.cells if named.words[n] == rest | r_words]
                if p and r:
                    yield f1, p[0], r[0]


def _f1(named: _Named, most: Fraction) -> Iterator[Relation]:  # noqa: ARG001
    for f1, precision, recall in _f1_triples(named):
        shown = named.cells[f1]
        holds = {}
        for mode in _MODES:
            p, r = (named.cells[n].within(mode).high for n in (precision, recall))
            # The harmonic mean is concave: an averaged F1 is at most that of the averages.
            top = 2 * p * r / (p + r) if p > 0 and r > 0 else Fraction(0)
            holds[mode] = shown.within(mode).low <= top
        if not holds[Rounding.NEAREST]:
            first, second = named.cells[precision].text, named.cells[recall].text
            words = f"{f1} {shown.text} is above the harmonic mean of {precision} {first} and "
            words += f"{recall} {second}"
            names = (f1, precision, recall)
            yield Relation(names=names, words=words, mode=_weakest(holds))


def _overlap_pairs(named: _Named) -> Iterator[tuple[str, str]]:
    for iou, dice in (("iou", "dice"), ("miou", "mdice"), ("jaccard", "dice")):
        yield from _both(named, (iou,), (dice,))


def _overlaps(named: _Named, most: Fraction) -> Iterator[Relation]:
    for iou, dice in _overlap_pairs(named):
        a, b = named.cells[iou], named.cells[dice]
        holds = {}
        for mode in _MODES:
            j, d = a.within(mode).scaled(1 / most), b.within(mode).scaled(1 / most)
            # D / (2 - D) is convex: an averaged IoU is at least that of the averaged Dice.
            least = d.low / (2 - d.low) if d.low < 2 else Fraction(1)
            holds[mode] = j.low <= d.high and j.high >= least - _TINY
        if not holds[Rounding.NEAREST]:
            words = f"{iou} {a.text} does not go with {dice} {b.text}: it is at least D / (2 - D) "
            words += "and at most D"
            yield Relation(names=(iou, dice), words=words, mode=_weakest(holds))


def inside(value: Printed, low: Printed, high: Printed) -> Rounding | None:
    """Return the strictest reading under which low <= value <= high, None if under none."""
    holds = {}
    for mode in _MODES:
        span = Interval(low=low.within(mode).low, high=high.within(mode).high)
        holds[mode] = span.low <= span.high and span.meets(value.within(mode))
    return _weakest(holds)
