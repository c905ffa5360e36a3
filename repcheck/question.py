"""One claim put to the runs: whose numbers answer it, and which numbers cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from repcheck.claims.model import Claim, Claims, Method, Result
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence
from repcheck.facts.gains import row_of, rows_of, unit_apart
from repcheck.facts.reruns import Reruns, SeedScores
from repcheck.runs import Run, SeedKind
from repcheck.stats.collapse import Arms
from repcheck.stats.compare import Summary
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import Sample
from repcheck.stats.sequential import Design

# What a seed can pin in two different networks at once; their initial weights it cannot.
SHARED = frozenset({"split", "order"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One claim put to the runs: who, on what, measured how.

    A claim over several datasets has them in `datasets`, and is asked dataset by dataset (`on`).
    `look` is the design of the looks and the seeds per arm of this one, where there are several.
    """

    claims: Claims
    claim: Claim
    method: Method
    dataset: str
    metric: str
    evidence: Evidence
    criteria: Criteria = DEFAULT
    datasets: tuple[str, ...] = ()
    look: tuple[Design, int] | None = None

    def on(self, dataset: str) -> Question:
        """Return the same question about one dataset alone."""
        return replace(self, dataset=dataset, datasets=(dataset,))

    @property
    def sign(self) -> int:
        """Return +1 where higher is better, -1 where lower is."""
        return 1 if self.claims.metrics[self.metric].higher_is_better.value else -1

    def fresh(self, method: Method) -> SeedScores:
        """Return the scores of a method's fresh seeds, or raise `Missing`."""
        if not has_command(method):
            would = f"declare `methods.{method.id}.train.command`"
            raise Missing(Reason.NO_COMMAND, would)
        reruns = self.evidence.get(Reruns)
        if not self.dataset and len({run.dataset for run in reruns.runs}) > 1:
            # Runs on one dataset say nothing of a claim on another.
            reruns = Reruns(runs=tuple(run for run in reruns.runs if not run.dataset))
        scores = reruns.arm(method.id, self.dataset, self.metric, SeedKind.FRESH)
        if scores.failed and not scores.values:
            raise Missing(Reason.COMMAND_FAILED, _why_all_failed(scores))
        if scores.unfinished and not scores.values:
            raise Missing(Reason.NOT_OBSERVED, f"finish the runs of `{method.id}`")
        every = [r for r in reruns.runs if self.dataset in {"", r.dataset}]
        _in_its_unit(self, method, scores.values, every)
        return scores

    def cut_short(self, *methods: Method) -> tuple[str, ...]:
        """Return in words how many runs of each method were begun and never ended."""
        lost = {one.id: self.fresh(one).unfinished for one in methods if has_command(one)}
        return tuple(
            f"{n} {'run' if n == 1 else 'runs'} of `{name}` {'was' if n == 1 else 'were'} cut short"
            for name, n in lost.items()
            if n
        )

    def sample(self, method: Method) -> Sample:
        """Return a method's fresh seeds, oriented so that higher is better."""
        scores = self.fresh(method)
        values = [self.sign * value for value in scores.values]
        return Sample.of(values, crashed=len(scores.failed))

    def baseline(self, method: Method) -> tuple[Sample, tuple[str, ...]]:
        """Return the baseline's fresh seeds, or its published summary where it has no command.

        Raises:
            Missing: if it has neither.
        """
        try:
            return self.sample(method), ()
        except Missing as missing:
            row = self.row(method)
            if missing.reason is not Reason.NO_COMMAND or row is None:
                raise
            if not (row.mean.known and row.std.known and row.n.known and row.n.value >= 2):
                raise
        summary, assumed = published(row)
        said = f"`{method.id}` was not rerun: its published mean, std and n stand in for it"
        oriented = replace(summary, mean=self.sign * summary.mean)
        return Sample(finished=oriented, published=True), (said, *assumed)

    def pairs(self, baseline: Method) -> list[tuple[float, float]] | None:
        """Return both arms' values seed by seed, where the file declares what a seed fixes in both.

        None where it does not, where the baseline was not rerun, and below two common seeds.
        """
        ours, theirs = self.method.seeds.fixes.get(()), baseline.seeds.fixes.get(())
        if not has_command(baseline) or not set(ours) & set(theirs) & SHARED:
            return None
        a, b = self.fresh(self.method), self.fresh(baseline)
        first = dict(zip(a.seeds, a.values, strict=True))
        second = dict(zip(b.seeds, b.values, strict=True))
        shared = [seed for seed in first if seed in second]
        if len(shared) < 2:
            return None
        return [(self.sign * first[seed], self.sign * second[seed]) for seed in shared]

    def arms(self, baseline: Method) -> tuple[Arms, tuple[str, ...]]:
        """Return both arms, oriented, and what had to be assumed of the baseline."""
        theirs, said = self.baseline(baseline)
        paired = None if theirs.published else self.pairs(baseline)
        return Arms(ours=self.sample(self.method), theirs=theirs, pairs=paired), said

    def rows(self, method: Method) -> list[Result]:
        """Return the reported rows of a method on this dataset and metric."""
        return rows_of(self.claims, method, self.dataset, self.metric)

    def row(self, method: Method) -> Result | None:
        """Return the reported row of a method, where there is exactly one."""
        return row_of(self.claims, method, self.dataset, self.metric)


def published(row: Result) -> tuple[Summary, tuple[str, ...]]:
    """Return a row's mean, spread and n, and what had to be assumed of them."""
    n = row.n.value if row.n.known else None
    spread = row.std.value if row.std.known else None
    summary = Summary.published(row.centre.value, spread, n, kind=row.std_kind.get("sample"))
    if spread is not None and row.std_kind.undeclared:
        return summary, ("the kind of the published spread is not stated: taken as a sample std",)
    return summary, ()


def has_command(method: Method) -> bool:
    """Return whether a method can be run at all."""
    return method.train.command.known or method.eval.command.known


def _in_its_unit(
    question: Question, method: Method, read: Sequence[float], runs: Sequence[Run]
) -> None:
    """Refuse a method's numbers that are plainly in another unit than those of the paper.

    Each arm and dataset by itself: two scripts of one artifact may print two units. A method of
    which no level is reported is held against that of the claim, of its baselines, or the other
    runs. Where other arms are in the unit, one far below them may be no more than useless.
    """
    claim, name = question.claim, question.metric
    leaves = (claim.value, claim.at_least, claim.at_most)
    claimed = [leaf.value for leaf in leaves if leaf.known]
    others = [question.claims.methods[one] for one in claim.baselines.get(())]
    of = {one.id: _levels(question, one) for one in (question.method, *others, method)}
    of[question.method.id] += claimed
    gains = [claim.improvement.value] if claim.improvement.known and not claim.relative else []
    gains += [claim.margin.value] if claim.kind == "equivalence" and claim.margin.known else []
    levels = of[method.id] or next(filter(None, of.values()), [])
    unit = question.claims.metrics[name].unit.get("")
    beside = [abs(r.metrics[name]) for r in runs if name in r.metrics and r.method != method.id]
    why = unit_apart(unit, (levels, gains), ([abs(value) for value in read], beside))
    if why:
        most = max(map(abs, [*levels, *gains]), default=None)
        told = "" if most is None else f"the paper's numbers go up to {most:g}; "
        raise Inapplicable(
            f"`{name}` of `{method.id}` {why}; {told}say `read_as` beside `metrics.{name}.from`"
        )


def _levels(question: Question, method: Method) -> list[float]:
    return [row.centre.value for row in question.rows(method) if row.centre.known]


def _why_all_failed(scores: SeedScores) -> str:
    first = scores.failed[0]
    n = len(scores.failed)
    return f"all {n} runs of `{first.method}` failed; the first: {first.status}, {first.reason}"


def unruled(question: Question) -> str | None:
    """Return what the rules for one number on one dataset cannot judge."""
    if question.claim.kind == "equivalence":
        return "a claim of type `equivalence`"
    if len(question.datasets) > 1:
        return f"a claim over several datasets ({', '.join(question.datasets)})"
    return unanswered(question)


def unanswered(question: Question) -> str | None:
    """Return what no rule can judge: the runs' last values answer another question than this."""
    claim, several = question.claim, len(question.datasets) > 1
    numbers = (claim.improvement, claim.value, claim.at_least, claim.at_most)
    same = claim.kind == "equivalence"
    if same and (several or claim.improvement.known or claim.baselines.undeclared):
        return _equivalence(question)
    if not same and not any(leaf.known for leaf in numbers):
        return f"a claim of type `{claim.kind}`"
    if claim.at_step.known:
        return "a value at a step (`at_step`); runs report their last value"
    if several and (claim.at_least.known or claim.at_most.known):
        named = ", ".join(question.datasets)
        return f"a bound over several datasets ({named}): claim it for each of them"
    if any(_at_a_point(question.on(one)) for one in question.datasets or (question.dataset,)):
        return "a value at an operating point (`at`)"
    return None


def _equivalence(question: Question) -> str:
    claim = question.claim
    if claim.improvement.known:
        return "an equivalence that claims an improvement"
    if claim.baselines.undeclared:
        return "an equivalence without `baselines`"
    return f"an equivalence over several datasets ({', '.join(question.datasets)})"


def _at_a_point(question: Question) -> bool:
    rows = question.rows(question.method)
    return bool(rows) and not any(row.at.undeclared for row in rows)
