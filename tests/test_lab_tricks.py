"""Every trick is planted in a blatant and a subtle form, and stays unseen in its honest twin."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from repcheck.claims.load import load
from repcheck.tricks import TRICKS
from tests.lab_support import SEVERITIES, cases, check, defeated, honest, load_case, make, problems

EVERY = [*cases(), *honest(), *defeated()]


def marked() -> list[object]:
    """Leave the cases that take long to `-m lab`."""
    return [
        pytest.param(path, id=name, marks=() if load_case(path).fast else pytest.mark.lab)
        for path in EVERY
        for name in [f"{path.parent.name}/{path.stem}"]
    ]


@pytest.mark.parametrize("path", marked())
def test_a_case_of_the_lab_is_found_or_left_alone_as_it_says(path: Path, tmp_path: Path) -> None:
    assert problems(check(load_case(path), tmp_path)) == []


@pytest.mark.parametrize("path", EVERY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_case_of_the_lab_can_be_made_and_read(path: Path, tmp_path: Path) -> None:
    case = replace(load_case(path), prepare=[])
    assert load(make(case, tmp_path / "paper")).claims


def test_every_trick_is_planted_twice_and_has_an_honest_twin() -> None:
    forms = defaultdict(set)
    for path in cases():
        case = load_case(path)
        forms[case.trick].add(case.form)
        number, slug = case.path.parent.name.split("_", 2)[:2], case.path.parent.name
        assert ".".join(number) == case.trick, slug
        assert case.says
    assert {t.number: forms[t.number] for t in TRICKS} == {
        t.number: {"blatant", "subtle", "twin"} for t in TRICKS
    }
    slugs = {path.parent.name for path in cases()}
    assert slugs == {f"{t.number.replace('.', '_')}_{t.slug.replace('-', '_')}" for t in TRICKS}


def test_a_plant_expects_something_and_the_blatant_form_weighs_no_less_than_the_subtle() -> None:
    heaviest: dict[str, dict[str, int]] = defaultdict(dict)
    for path in cases():
        case = load_case(path)
        if case.form == "twin":
            assert not case.expect, case.name
            continue
        assert case.expect or case.human, case.name
        weights = [SEVERITIES.index(one["severity"]) for one in case.expect if "severity" in one]
        of = heaviest[case.trick]
        of[case.form] = max([of.get(case.form, 0), *weights])
    assert [t for t, of in heaviest.items() if of["blatant"] < of["subtle"]] == []
