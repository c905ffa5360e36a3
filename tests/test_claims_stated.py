"""Sections behave as frozen, slotted dataclasses, though they share one set of methods."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace

import pytest

from repcheck.claims.load import parse
from repcheck.claims.model import Claims, Method, Seeds, Train
from repcheck.claims.stated import Section, State, Stated, declare
from repcheck.where import Where, placed

TEXT = """
repcheck: 1
metrics: {acc: {higher_is_better: true}}
methods:
  ours: {role: proposed, train: {command: run, epochs: "10"}, seeds: 3, ema: none}
results: [{method: ours, metric: acc, mean: 93.40}]
claims: [{method: ours, metric: acc, value: 93.40}]
"""


@pytest.fixture
def claims() -> Claims:
    return parse(TEXT)


def kinds(cls: type[Section] = Section) -> list[type[Section]]:
    return [cls, *(below for child in cls.__subclasses__() for below in kinds(child))]


def test_no_kind_of_section_has_a_dict_or_can_be_changed() -> None:
    # Slotted classes are made of plain ones of the same name, which may live on.
    real = [one for one in kinds() if getattr(sys.modules[one.__module__], one.__name__) is one]
    assert len(real) > 40
    for kind in real:
        made = kind()
        assert is_dataclass(kind)
        assert not hasattr(made, "__dict__")
        for item in fields(kind):
            with pytest.raises(FrozenInstanceError):
                setattr(made, item.name, None)
            with pytest.raises(FrozenInstanceError):
                delattr(made, item.name)


def test_a_key_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="Train has no key 'epoch'"):
        Train(epoch=3)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="Train has no key 'epoch'"):
        Train().epoch  # type: ignore[attr-defined]  # noqa: B018


def test_a_section_equals_what_says_the_same_in_the_same_place(claims: Claims) -> None:
    again = parse(TEXT)
    assert again == claims
    assert again.methods["ours"].train == claims.methods["ours"].train
    assert hash(again.methods["ours"].seeds) == hash(claims.methods["ours"].seeds)
    assert parse(TEXT.replace("93.40", "93.4")) != claims
    assert Train() != Seeds()


def test_a_section_survives_pickling_and_copying(claims: Claims) -> None:
    for other in (pickle.loads(pickle.dumps(claims)), copy.deepcopy(claims)):
        assert other == claims
        assert other.methods["ours"].train.epochs.text == "10"
        assert other.methods["ours"].train.batch_size.path == "methods.ours.train.batch_size"
        with pytest.raises(FrozenInstanceError):
            other.sha256 = ""


def test_one_key_is_replaced_and_the_rest_kept(claims: Claims) -> None:
    method = claims.methods["ours"]
    made = replace(method, role=declare(("baseline", "baseline", ""), method.role.place))
    assert made.role.value == "baseline"
    assert (made.id, made.train, made.ema.state) == ("ours", method.train, State.NONE)


def test_silent_keys_know_their_paths_however_a_section_is_made() -> None:
    place = Where("f", 3, 5, "methods.ours")
    made = Method(place=place, role=Stated(), train=Train())
    assert made.role.path == "methods.ours.role"
    assert made.train.epochs.path == "methods.ours.train.epochs"
    assert made.train.epochs.state is State.UNDECLARED
    assert Method(state=State.NONE, place=place).train.epochs.state is State.NOT_APPLICABLE


def test_a_section_shows_its_fields() -> None:
    assert repr(Seeds(state=State.NONE)).startswith("Seeds(state=")


def test_a_place_made_quickly_is_one_made_slowly() -> None:
    assert placed("f", 1, 2, "a.b") == Where("f", 1, 2, "a.b")
    assert placed("f", 1, 2, "a.b")["c"] == Where("f", 1, 2, "a.b.c")
