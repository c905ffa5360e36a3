# ruff: noqa: E501  (a table of small files reads better unwrapped)
"""The JSON Schema is made of the models, is a valid schema, and accepts what the loader accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from repcheck.claims.schema import schema

FILES = Path(__file__).parent / "claims"
VALIDATOR = Draft202012Validator(schema())


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_accepted_by_the_metaschema_of_its_draft():
    Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema()))["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("name", ["minimal.yaml", "full.yaml"])
def test_the_examples_of_the_format_are_instances(name):
    assert errors((FILES / name).read_text()) == []


HEAD = "repcheck: 1\nclaims: [{text: a}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "methods: {m: {ema: false, seeds: 3, lr_schedule: cosine, x-note: 1}}",
        "methods: {m: {ema: {value: false, where: S, artifact: {value: true}}}}",
        "methods: {m: {train: {epochs: {value: 3, where: S, by: reviewer}, command: [a, b]}}}",
        "methods: {m: {train: {epochs: undeclared, wall_clock: 3 h}}}",
        "artifact: {commit: 18, weights: [{file: a, for: b}]}",
        "metrics: {a: {higher_is_better: true, from: x}}",
        "defaults: {optimizer: {lr: 0.1}}",
    ],
)
def test_short_forms_long_forms_and_reserved_names_are_accepted(text):
    assert errors(HEAD + text) == []


@pytest.mark.parametrize(
    "text",
    [
        "papr: {}", "methods: {m: {rol: x}}", "methods: {m: {role: x}}", "methods: {m: {state: none}}",
        "methods: {m: {train: {epochs: -1}}}", "metrics: {a: {unit: x}}", "metrics: {a: {from_: x}}",
        "methods: {m: {train: {epochs: {value: 3, whre: S}}}}", "sha256: x", "results: [{mean: 1}]",
        "methods: {m: {train: {epochs: ~}}}",
    ],
)  # fmt: skip
def test_what_the_loader_refuses_for_its_form_the_schema_refuses_too(text):
    assert errors(HEAD + text)


def test_internal_fields_are_not_keys():
    text = json.dumps(schema())
    assert not any(
        f'"{name}":' in text for name in ("state", "place", "disclosure", "for_", "self_")
    )
