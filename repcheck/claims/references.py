"""What a claims file refers to must exist, and what it must say must be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repcheck.claims.commands import ALWAYS
from repcheck.claims.model import Claim, Claims, Method, Result
from repcheck.claims.placeholders import check_commands, unread
from repcheck.claims.problems import Problem, one_of
from repcheck.claims.source import Node, Tree
from repcheck.claims.stated import Section, Stated, declare
from repcheck.claims.values import Desk
from repcheck.where import Where

_CENTRES = ("mean", "median", "best", "single")
_SCORES = (*_CENTRES, "std")
_WAYS = frozenset({"config", "cli", "env", "constant"})
_CLAIM_SCORES = ("value", "at_least", "at_most")


def check_references(claims: Claims, tree: Tree, desk: Desk) -> None:
    """Note every reference without an object, and every thing that must be said and is not."""
    check = _References(claims, tree, desk)
    check.metrics()
    check.claims_listed()
    for claim in claims.claims:
        check.claim(claim)
    for result in claims.results:
        check.result(result)
    check.others()
    check_commands(claims, desk)


@dataclass(frozen=True, slots=True)
class _References:
    """The names that a file declares, and the checks of those it uses."""

    claims: Claims
    tree: Tree
    desk: Desk
    known: dict[str, Mapping[str, Node]] = field(default_factory=dict)

    def names(self, section: str) -> Iterable[str]:
        """Return the names a section declares, those whose entries could not be read included."""
        known = self.known.get(section)
        if known is None:
            node = self.tree.entries.get(section)
            known = self.known[section] = node.entries if isinstance(node, Tree) else {}
        return known.keys()

    def note(self, leaf: Stated[Any] | Section, what: str, hint: str = "") -> None:
        """Note a problem where a leaf stands."""
        self.desk.note(Problem(leaf.place, what, hint))

    def named(self, leaf: Stated[Any], section: str, *, free: bool = False) -> None:
        """Check one name, or each of a list; a free name may be text where nothing is declared."""
        if not leaf.known:
            return
        known = self.names(section)
        if free and not known:
            return
        content = leaf.content
        if type(content) is str and content in known:
            return
        for index, name in enumerate(content if isinstance(content, tuple) else (content,)):
            if name in known:
                continue
            place = leaf.place[index] if isinstance(content, tuple) else leaf.place
            what = f"there is no {section.removesuffix('s')} `{str(name)[:60]}`"
            hint = self.desk.nearest(str(name), known) or _known(section, known)
            self.desk.note(Problem(place, what, hint))

    def metrics(self) -> None:
        """Check that every metric says which way is better: that is never guessed."""
        for metric in self.claims.metrics.values():
            written = "higher_is_better" in metric.place.keys
            if not (
                metric.higher_is_better.known or (written and unread(metric, "higher_is_better"))
            ):
                self.note(
                    metric.higher_is_better,
                    "is missing",
                    "write `higher_is_better: true` or `false`: it is never guessed",
                )

    def claims_listed(self) -> None:
        """Check that there is at least one claim and that no two have the same id."""
        if "claims" not in self.tree.entries:
            place = self.claims.place["claims"]
            self.desk.note(Problem(place, "is missing", "a claims file lists claims"))
        elif not self.claims.claims and not self.desk.problems:
            place = self.claims.place["claims"]
            self.desk.note(Problem(place, "is empty", "list at least one claim"))
        first: dict[str, Claim] = {}
        for claim in self.claims.claims:
            name = claim.id.get("")
            if name in first and claim.id.text:
                at = first[name].id.place
                what = f"`{name[:60]}` is the id of another claim, at {at.line}:{at.column}"
                self.note(claim.id, what, "give each claim its own id")
            first.setdefault(name, claim)

    def claim(self, claim: Claim) -> None:
        """Check what one claim refers to."""
        keys = claim.place.keys
        self.named(claim.method, "methods")
        if "baselines" in keys:
            self.named(claim.baselines, "methods")
        self.named(claim.metric, "metrics")
        if "dataset" in keys:
            self.named(claim.dataset, "datasets", free=True)
        if "datasets" in keys:
            self.named(claim.datasets, "datasets", free=True)
            self._each_once(claim.datasets)
        if "attributed_to" in keys:
            self._attributed(claim)
        self.scores(claim, claim.metric, _CLAIM_SCORES)

    def _each_once(self, listed: Stated[tuple[str, ...]]) -> None:
        """Check that a claim over several datasets names some, and none of them twice."""
        content = listed.get(("",))
        if not content:
            self.note(listed, "names no dataset", "list some, or delete the key")
        for index, name in enumerate(content):
            if name in content[:index]:
                what = f"`{name[:60]}` stands here twice"
                self.desk.note(Problem(listed.place[index], what, "name each dataset once"))

    def _attributed(self, claim: Claim) -> None:
        """Check names of components for slips only: key paths and factors are names too."""
        method = self.claims.methods.get(claim.method.get(""))
        names = {part.name.get("") for part in (method.components or ())} if method else set()
        for index, name in enumerate(claim.attributed_to.get(())):
            hint = self.desk.nearest(name, names, sure=True)
            if name not in names and hint and not hasattr(method, name.partition(".")[0]):
                place = claim.attributed_to.place[index]
                what = f"there is no component `{name[:60]}`"
                self.desk.note(Problem(place, what, hint))

    def result(self, result: Result) -> None:
        """Check one row: what it refers to, and that it reports one number."""
        keys = result.place.keys
        for key, leaf in (("method", result.method), ("metric", result.metric)):
            if leaf.known:
                self.named(leaf, f"{key}s")
            elif key not in keys or not unread(result, key):
                self.note(leaf, "is missing", f"a result names its {key}")
        if "dataset" in keys:
            self.named(result.dataset, "datasets", free=True)
        written = [
            key
            for key in _CENTRES
            if key in keys and (getattr(result, key).known or unread(result, key))
        ]
        if len(written) > 1:
            what = f"has {' and '.join(f'`{key}`' for key in written)}"
            self.note(result, what, "a result reports one of them")
        elif not written and "per_seed" not in keys:
            self.note(result, "reports no number", "write `mean`, `median`, `best` or `single`")
        self.scores(result, result.metric, _SCORES)

    def scores(self, section: Section, metric: Stated[str], names: tuple[str, ...]) -> None:
        """Bring percentages to the unit of a metric that is a fraction."""
        keys = section.place.keys
        for name in names:
            if name not in keys:
                continue
            leaf: Stated[float] = getattr(section, name)
            if leaf.unit != "%" or not leaf.known:
                continue
            unit = self._unit(metric)
            if unit == "fraction":
                content = (leaf.value / 100, leaf.text, leaf.unit)
                object.__setattr__(section, name, declare(content, leaf.place, leaf.disclosure))
            elif unit not in ("", "percent", "%"):
                self.note(leaf, f"is printed in percent and the metric's unit is `{unit[:40]}`")

    def _unit(self, metric: Stated[str]) -> str:
        known = self.claims.metrics.get(metric.get(""))
        return known.unit.get("") if known else ""

    def others(self) -> None:
        """Check the names that methods, arms, efficiency rows and ablations use."""
        for method in self.claims.methods.values():
            self.named(method.dataset, "datasets", free=True)
            self.named(method.train_data, "datasets", free=True)
            self.named(method.train.hardware, "hardware", free=True)
            self._tuning(method)
            for name in method.read:
                if name not in self.names("metrics"):
                    self._unknown_metric(method.place["read"][name], name)
        self._arms()
        for row in self.claims.efficiency:
            self.named(row.method, "methods")
            self.named(row.dataset, "datasets", free=True)
            self.named(row.hardware, "hardware", free=True)
        for weights in self.claims.artifact.weights:
            self.named(weights.for_, "methods", free=True)
        for ablation in self.claims.ablations or ():
            for name in ablation.result.get({}):
                if name not in self.names("metrics"):
                    self._unknown_metric(ablation.result.place[name], name)
        self.named(self.claims.budget.hardware, "hardware", free=True)

    def _tuning(self, method: Method) -> None:
        """Check where the scores of tuning trials stand, and what a sweep asks for, by its form."""
        tuning = method.tuning
        if not tuning.declared:
            return
        if tuning.scores.known and tuning.scores_from.known:
            what = "stands beside `scores`, which says the same"
            self.note(tuning.scores_from, what, "keep one of the two")
        path, _, column = tuning.scores_from.get("sweep.csv:score").rpartition(":")
        if not column.strip() or not path.lower().endswith((".csv", ".jsonl")):
            what = f"`{tuning.scores_from.text[:60]}` is no column of a .csv or .jsonl file"
            self.note(tuning.scores_from, what, "write `sweep.csv:val_accuracy`")
        for said, hint in _wrong_in_sweep(tuning.sweep.get(())):
            self.note(tuning.sweep, said, hint)

    def _arms(self) -> None:
        """Check what arms are of, and that each has an id of its own: its runs are known by it."""
        taken = {name: "a method" for name in self.names("methods")}
        for arm in self.claims.arms:
            self.named(arm.of, "methods")
            name = arm.id.get("")
            if name in taken:
                what = f"`{name[:60]}` is the id of {taken[name]}"
                self.note(arm.id, what, "give each arm its own id")
            elif name:
                taken[name] = f"another arm, at {arm.id.place.line}:{arm.id.place.column}"

    def _unknown_metric(self, place: Where, name: str) -> None:
        known = self.names("metrics")
        hint = self.desk.nearest(name, known) or _known("metrics", known)
        self.desk.note(Problem(place, f"there is no metric `{name[:60]}`", hint))


def _wrong_in_sweep(sweep: object) -> Iterator[tuple[str, str]]:
    """Yield what a sweep names that is no hyperparameter and no way to set one, with a hint."""
    names = (sweep,) if isinstance(sweep, str) else sweep
    if not isinstance(names, list | tuple | Mapping):
        yield f"`{str(sweep)[:60]}` names no hyperparameter", "write `[lr, batch_size]`"
        return
    for name in names:
        if not isinstance(name, str) or name in ALWAYS:
            yield f"`{str(name)[:60]}` is no hyperparameter", "write `[lr, batch_size]`"
    for name, way in sweep.items() if isinstance(sweep, Mapping) else ():
        short = str(name)[:60]
        if isinstance(way, Mapping) and "from" in way and {*way} & _WAYS:
            if not isinstance(way["from"], int | float | str) or isinstance(way["from"], bool):
                yield f"`{short}` starts from no number", "write the number that stands in the code"
            way = {form: what for form, what in way.items() if form != "from"}
        if not isinstance(way, Mapping) or not {*way} <= _WAYS:
            what = f"`{short}: {str(way)[:60]}` does not say how it is set"
            yield what, f'write `{short}: {{cli: "--{short}"}}`, `config:`, `env:` or `constant:`'


def _known(section: str, known: Iterable[str]) -> str:
    return f"known here: {one_of(known)}" if known else f"the file declares no {section}"
