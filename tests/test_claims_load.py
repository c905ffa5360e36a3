# ruff: noqa: E501  (a table of small files reads better unwrapped)
"""A claims file is read whole: typed, frozen, every key with its place, or all problems at once."""

from __future__ import annotations

import copy
import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repcheck.claims.commands import command_fields, fill, split
from repcheck.claims.costs import undeclared
from repcheck.claims.load import load, parse
from repcheck.claims.model import Claims, Method
from repcheck.claims.problems import ClaimsError
from repcheck.claims.stated import State
from repcheck.errors import Inapplicable, Missing

FILES = Path(__file__).parent / "claims"
MINIMAL, FULL = FILES / "minimal.yaml", FILES / "full.yaml"
HEAD = "repcheck: 1\nmetrics: {acc: {higher_is_better: true, unit: percent}}\n"
TAIL = "claims: [{text: it works}]\n"


def method(text: str) -> Method:
    return parse(f"{HEAD}methods: {{m: {text}}}\n{TAIL}").methods["m"]


def refused(text: str) -> list[str]:
    with pytest.raises(ClaimsError) as error:
        parse(text, "c.yaml")
    return [str(problem) for problem in error.value.problems]


def refused_method(text: str) -> str:
    (only,) = refused(f"{HEAD}methods: {{m: {text}}}\n{TAIL}")
    return only


# --- the examples of the format ---------------------------------------------------------------


def test_the_minimal_file_loads():
    claims = load(MINIMAL)
    claim = claims.claims[0]
    assert (claim.id.value, claim.kind, claim.improvement.value) == ("C1", "improvement", 5.2)
    assert claims.results[0].mean.text == "93.1"
    assert claims.sha256 == hashlib.sha256(MINIMAL.read_bytes()).hexdigest()
    assert claims.results[1].std.place.path == "results[1].std"
    assert str(claims.results[1].std.place) == f"{MINIMAL}:11:60"


def test_the_full_file_loads_with_everything_it_says():
    claims = load(FULL)
    ours, base = claims.methods["betternet"], claims.methods["basenet"]
    assert (ours.id, base.id, base.role.value) == ("betternet", "basenet", "baseline")
    assert base.model.params.value == 7658
    assert ours.model.flops.value.value == 210_000
    assert ours.model.flops.convention.value == "flops"
    assert ours.lr_schedule.type.value == "cosine"
    assert ours.seeds.train.value == (0, 1, 2, 3, 4)
    assert ours.ema.state is State.NONE
    assert not ours.ema.used()
    assert ours.optimizer.betas.state is State.NOT_APPLICABLE
    assert ours.train.iterations.undeclared
    assert claims.artifact.weights[0].for_.value == "betternet"
    assert claims.artifact.commit.value == "1a2b3c4"
    assert claims.hardware["paper-gpu"].memory_gb.value == 640
    assert claims.results[0].per_seed.value == (93.3, 92.2, 93.0, 92.6, 93.4)
    assert claims.claims[0].attributed_to.value == ("adaptive-downsampling",)
    assert claims.measured_not_reported.metrics.value == ()


def test_what_is_inherited_keeps_its_place_and_gets_the_method_s_path():
    leaf = load(FULL).methods["basenet"].optimizer.lr
    assert leaf.path == "methods.basenet.optimizer.lr"
    assert leaf.place.line == next(
        number
        for number, line in enumerate(FULL.read_text().splitlines(), 1)
        if "type: SGD" in line
    )


def test_loaded_claims_are_frozen_and_survive_pickling_and_copying():
    claims = load(FULL)
    assert pickle.loads(pickle.dumps(claims)) == claims
    assert copy.deepcopy(claims) == claims
    with pytest.raises(AttributeError):
        claims.sha256 = ""  # type: ignore[misc]
    with pytest.raises(TypeError):
        claims.methods["x"] = claims.methods["basenet"]  # type: ignore[index]
    with pytest.raises(TypeError):
        claims.methods["betternet"].hyperparameters.value.update(a=1)  # type: ignore[attr-defined]


# --- leaves -----------------------------------------------------------------------------------


def test_missing_none_zero_and_not_applicable_are_four_things():
    made = method("{dropout: 0, norm: none, attention: n/a, skips: false, reparam: false}")
    assert made.dropout.value == 0
    assert made.norm.state is State.NONE
    assert made.attention.state is State.NOT_APPLICABLE
    assert made.skips.state is State.NONE
    assert made.reparam.value is False
    assert made.activation.undeclared
    with pytest.raises(Missing, match=r"declare `methods.m.activation`"):
        _ = made.activation.value
    with pytest.raises(Inapplicable):
        _ = made.norm.value


def test_an_unwritten_key_knows_its_path_and_where_its_section_stands():
    leaf = method("{train: {epochs: 3}}").train.batch_size
    assert (leaf.path, leaf.place.line, leaf.place.column) == ("methods.m.train.batch_size", 3, 22)


def test_the_long_form_states_both_sides():
    leaf = method(
        '{train: {epochs: {value: 20, where: "Sec. 4.1", disclosed: appendix, by: reviewer,'
        ' artifact: {value: 1e2, where: "train.sh:12"}}}}'
    ).train.epochs
    assert (leaf.value, leaf.text) == (20, "20")
    said = leaf.disclosure
    assert (said.where, said.disclosed, said.by) == ("Sec. 4.1", "appendix", "reviewer")
    assert said.in_paper
    assert said.artifact is not None
    assert (said.artifact.value, said.artifact.text) == (100, "1e2")
    assert said.artifact.where == "train.sh:12"


def test_a_section_has_a_long_form_too_and_its_leaves_share_the_account():
    made = method(
        "{ema: {value: false, where: Sec 3, artifact: {value: true}}, swa: {decay: 0.9, where: A}}"
    )
    assert made.ema.state is State.NONE
    assert made.ema.disclosure.artifact is not None
    assert made.ema.disclosure.artifact.value is True
    assert made.swa.decay.disclosure.where == "A"


def test_short_forms_fill_the_key_they_stand_for():
    made = method(
        "{lr_schedule: cosine, optimizer: Adam, seeds: 3, tta: 4, ema: true, train: [python, x]}"
    )
    assert made.lr_schedule.type.value == "cosine"
    assert made.lr_schedule.type.path == "methods.m.lr_schedule.type"
    assert made.seeds.train.value == (0, 1, 2)
    assert made.tta.views.value == 4
    assert made.ema.used()
    assert made.ema.decay.undeclared
    assert made.train.command.value == ("python", "x")


@pytest.mark.parametrize(
    ("text", "how", "best_of"),
    [
        ("preset", "preset", None),
        ("{best_of: 10}", "best-of", 10),
        ("{best_of: undeclared}", "best-of", None),
    ],
)
def test_how_seeds_were_chosen(text, how, best_of):
    chosen = method(f"{{seeds: {{train: [1, 2], chosen: {text}}}}}").seeds.chosen
    assert chosen.how.value == how
    assert chosen.best_of.get(None) == best_of  # type: ignore[arg-type]


def test_text_keys_keep_the_source_text():
    claims = parse(
        f"{HEAD}artifact: {{commit: 18e2032, python: 3.10}}\npaper: {{version: 1.10}}\n{TAIL}"
    )
    assert claims.artifact.commit.value == "18e2032"
    assert claims.artifact.python.value == "3.10"
    assert claims.paper.version.value == "1.10"


def test_a_word_that_means_a_state_elsewhere_is_a_value_where_the_key_has_it():
    claims = parse(f"{HEAD}artifact: {{code_available: none}}\n{TAIL}")
    assert claims.artifact.code_available.value == "none"


def test_operation_counts_know_their_convention():
    assert method('{model: {flops: "8 MACs"}}').model.flops.convention.value == "macs"
    made = method('{model: {flops: "8 GFLOPs", flops_convention: macs}}').model.flops
    assert (made.value.value, made.convention.value) == (8e9, "macs")
    assert method("{model: {flops: 8}}").model.flops.convention.undeclared
    assert "counts MACs" in refused_method('{model: {flops: {value: "8 MACs", convention: flops}}}')


def test_a_percentage_is_brought_to_a_metric_that_is_a_fraction():
    text = HEAD.replace("percent", "fraction") + "methods: {m: {}}\n"
    claims = parse(f'{text}results: [{{method: m, metric: acc, mean: "94.3 %"}}]\n{TAIL}')
    assert claims.results[0].mean.value == pytest.approx(0.943)
    assert claims.results[0].mean.text == "94.3 %"


def test_a_relative_improvement_is_told_from_points():
    line = '{method: m, metric: acc, improvement: "%s"}'
    for text, relative in (("5 %", True), ("5 points", False), ("5", False)):
        claims = parse(f"{HEAD}methods: {{m: {{}}}}\nclaims: [{line % text}]")
        assert claims.claims[0].relative is relative
        assert claims.claims[0].improvement.value == 5


def test_claims_without_an_id_get_the_next_free_one():
    claims = parse(f"{HEAD}claims: [{{text: a}}, {{id: C1, text: b}}, {{text: c}}]")
    ids = [claim.id.value for claim in claims.claims]
    assert ids[1] == "C1"
    assert len(set(ids)) == 3


def test_keys_that_begin_with_x_are_ignored_everywhere():
    text = f"x-base: &b {{x-note: 1, norm: none}}\n{HEAD}methods: {{m: {{<<: *b, x-y: [1]}}, x-z: 5}}\n{TAIL}"
    claims = parse(text)
    assert list(claims.methods) == ["m"]
    assert claims.methods["m"].norm.state is State.NONE


# --- defaults and extends ---------------------------------------------------------------------


def test_defaults_are_merged_deeply_and_lists_and_long_forms_are_replaced():
    text = f"""{HEAD}
defaults: {{optimizer: {{lr: 0.1, momentum: 0.9}}, augmentation: [a, b], train: {{epochs: {{value: 3, where: S}}}}}}
methods:
  a: {{optimizer: {{lr: 0.2}}, augmentation: [], train: {{epochs: {{value: 4}}}}}}
  b: {{extends: a, optimizer: {{momentum: 0}}, ema: {{decay: 0.9}}}}
  c: {{extends: b, ema: false}}
{TAIL}"""
    methods = parse(text).methods
    assert methods["a"].optimizer.momentum.value == 0.9
    assert methods["a"].augmentation.value == ()
    assert methods["a"].train.epochs.disclosure.where == ""
    assert (methods["c"].optimizer.lr.value, methods["c"].optimizer.momentum.value) == (0.2, 0)
    assert methods["c"].ema.state is State.NONE
    assert methods["a"].extends.undeclared


def test_a_problem_in_defaults_is_said_once():
    methods = "".join(f"  m{i}: {{}}\n" for i in range(5))
    (only,) = refused(f"{HEAD}defaults: {{optimiser: SGD}}\nmethods:\n{methods}{TAIL}")
    assert "3:12: defaults.optimiser: unknown key `optimiser`; did you mean `optimizer`?" in only


# --- problems ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{train: {epochs: -3}}", "m.train.epochs: expected a number of at least 0, found `-3`"),
        ("{train: {batch_size: 1.5}}", "expected a whole number"),
        ("{train: {batch_size: 0}}", "above 0"),
        ("{train: {epochs: .nan}}", "not a finite number"),
        ("{train: {epochs: true}}", "expected a number, found `true`"),
        ("{train: {epochs: ~}}", "has no value; write `undeclared`, `none` or `n/a`"),
        ("{train: {epochs: [1]}}", "expected a number, found a list"),
        ("{train: {amp: yes}}", "expected true or false, found `yes`"),
        ("{train: {wall_clock: 3 moons}}", "`moons` is not a unit known here"),
        ("{train: {batchsize: 3}}", "did you mean `batch_size`?"),
        ("{role: propsed}", "did you mean `proposed`?"),
        ("{state: none}", "unknown key `state`"),
        ("{id: none}", "unknown key `id`"),
        ("{train: {cwd: {seed}}}", 'quote values that contain braces: "{seed}"'),
        ("{train: {epochs: {value: 3, wher: x}}}", "did you mean `where`?"),
        ("{train: {epochs: {where: x}}}", "the long form needs `value`"),
        ("{train: {epochs: {value: 3, disclosed: maybe}}}", "one of paper, appendix, code, no"),
        ("{seeds: 999999999}", "seeds"),
        ("{seeds: [1, x]}", "seeds.train[1]: expected a whole number"),
        ("{components: 5}", "expected a list"),
        ("{losses: [3: 4]}", "unknown key `3`"),
        ("{extends: mm}", "there is no method `mm`"),
        ("{extends: m}", "extends itself: m > m"),
        ("5", "expected a mapping, found `5`"),
        ("{train: {command: \"a 'b\"}}", "cannot be split"),
        ('{train: {command: ""}}', "cannot be split"),
        ('{train: {command: "a {epochs}"}}', "`{epochs}` has no value; declare `methods.m.train.epochs`"),
        ('{train: {command: "a {lr}"}}', "declare `methods.m.optimizer.lr`"),
        ('{train: {command: "a {width}"}}', "declare `methods.m.hyperparameters.width`"),
        ('{train: {command: "a {sead}"}}', "did you mean `seed`?"),
        ('{train: {command: "a {test}"}}', "declare `methods.m.dataset`"),
        ("{train: {command: 'a {epochs}', epochs: n/a}}", "`{epochs}` has no value"),
        ("{read: {ac: x}}", "did you mean `acc`?"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_problem_with_place_key_and_hint(text, said):
    message = refused_method(text)
    assert said in message
    assert message.startswith("<text>:3:") or message.startswith("c.yaml:3:")


def test_commands_find_their_values_where_the_format_says():
    made = method(
        '{train: {command: "a {seed} {out} {device} {epochs} {lr} {width} {activation} {optimizer}",'
        " epochs: 3}, optimizer: {type: SGD, lr: 1}, hyperparameters: {width: 4}, activation: relu}"
    )
    assert len(command_fields(made.train.command.value)) == 8
    assert split("a '{x y}' b") == ("a", "{x y}", "b")
    assert command_fields(["p", '{"a": 1}', "{{b}}", "{c}", "{}"]) == ("c",)
    assert fill(["{{b}}", "{c}{c}", '{"a"}'], {"c": "1"}.__getitem__) == ("{b}", "11", '{"a"}')


def test_a_factor_with_a_placeholder_and_an_override_is_an_error():
    text = 'methods: {m: {train: {command: "a {width}"}, hyperparameters: {width: 3}}}'
    (only,) = refused(f'{HEAD}{text}\noverrides: {{width: "--w {{value}}"}}\n{TAIL}')
    assert "overrides.width" in only
    assert "not both" in only


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "repcheck: is missing"),
        ("repcheck: 2\nwhatever: 1", "format 2 is newer"),
        ("repcheck: one\nclaims: [{text: a}]", "expected `1`, found `one`"),
        ("repcheck: 1", "claims: is missing"),
        ("repcheck: 1\nclaims: []", "claims: is empty"),
        ("repcheck: 1\nclaims: ~", "expected a list"),
        ("repcheck: 1\nclaims: [{id: a}, {id: a}]", "is the id of another claim, at 2:15"),
        ("repcheck: 1\nclaims: [{method: m}]", "there is no method `m`; the file declares no methods"),
        ("repcheck: 1\nmetrics: {a: {unit: x}}\nclaims: [{text: a}]", "higher_is_better: is missing"),
        (f"{HEAD}methods: {{m: {{}}}}\nresults: [{{method: m, metric: acc}}]\n{TAIL}", "reports no number"),
        (
            f"{HEAD}methods: {{m: {{}}}}\nresults: [{{method: m, metric: acc, mean: 1, best: 2}}]\n{TAIL}",
            "has `mean` and `best`",
        ),
        (f"{HEAD}methods: {{m: {{}}}}\nresults: [{{metric: acc, mean: 1}}]\n{TAIL}", "method: is missing"),
        (
            f"{HEAD}datasets: {{d: {{}}}}\nmethods: {{m: {{dataset: dd}}}}\n{TAIL}",
            "there is no dataset `dd`; did you mean `d`?",
        ),
        (
            f"{HEAD}hardware: {{gpu: {{}}}}\nmethods: {{m: {{train: {{hardware: gpo}}}}}}\n{TAIL}",
            "there is no hardware `gpo`; did you mean `gpu`?",
        ),
        (
            f"{HEAD}methods: {{a: {{extends: b}}, b: {{extends: a}}}}\n{TAIL}",
            "extends itself: a > b > a",
        ),
    ],
)  # fmt: skip
def test_what_must_be_said_and_what_is_referred_to_is_checked(text, said):
    (only,) = refused(text or "paper: {title: x}\nclaims: [{text: a}]")
    assert said in only


def test_names_are_free_where_nothing_of_the_kind_is_declared():
    text = f"{HEAD}methods: {{m: {{dataset: digits, train: {{hardware: my laptop}}}}}}\n{TAIL}"
    assert parse(text).methods["m"].dataset.value == "digits"


def test_all_problems_are_shown_in_the_order_of_the_file():
    problems = refused(
        "repcheck: 1\npapr: {}\nmethods: {m: {train: {epochs: -1}, rol: x}}\n"
        "metrics: {a: {}}\nresults: [{method: n, metric: a, mean: nan}]\nclaims: [{method: q}]\n"
    )
    assert [problem.split(" ")[0] for problem in problems] == [
        "c.yaml:2:1:", "c.yaml:3:31:", "c.yaml:3:36:", "c.yaml:4:14:", "c.yaml:5:20:",
        "c.yaml:5:40:", "c.yaml:6:19:",
    ]  # fmt: skip


# --- the list of what is undeclared -----------------------------------------------------------


def test_the_list_of_undeclared_facts_fits_a_screen_and_counts():
    found = undeclared(load(MINIMAL))
    assert 0 < found.missing <= found.relevant
    assert len(found.keys) < 40
    assert sum(key.count for key in found.keys) == found.missing
    assert all(key.rules and key.fill for key in found.keys)
    assert undeclared(load(FULL)).missing == 0


# --- any text ---------------------------------------------------------------------------------


def loads_or_refuses(text: str) -> None:
    try:
        claims = parse(text, "c.yaml")
    except ClaimsError as refusal:
        places = [problem.place for problem in refusal.problems]
        lost = [place for place in places if place.line < 1 or place.column < 1]
        if lost or not places:
            raise AssertionError(f"problems without a place: {refusal}") from refusal
        return
    assert isinstance(claims, Claims)
    undeclared(claims)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_loads_or_gives_located_problems(text):
    loads_or_refuses(text)


TOKENS = st.sampled_from(
    ["{", "}", "[", "]", ": ", ", ", "\n", "- ", "'", '"', "&a ", "*a", "<<: ", "!!x ", "~", "none",
     "undeclared", "n/a", "true", "-1", ".nan", "1e999", "{seed}", "\t", "\0", "x-", "value: ", "%", "#"]
)  # fmt: skip


@given(
    st.sampled_from([MINIMAL, FULL]),
    st.lists(st.tuples(st.floats(0, 1), TOKENS, st.integers(0, 12)), max_size=4),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_loads_or_gives_located_problems(path, wounds):
    text = path.read_text()
    for where, token, width in wounds:
        at = int(where * len(text))
        text = text[:at] + token + text[at + width :]
    loads_or_refuses(text)


SCALARS = st.sampled_from(
    ["none", "n/a", "undeclared", "~", "true", "false", "5", "-1", "0.5", "x", "[]", "{}", "[1, a]",
     "{value: 3}", "{value: {value: 1}}", "{a: b}", "{value: none, artifact: none}", "'{seed}'", "[[1]]",
     "{value: [1, 2], where: {a: 1}}", "{artifact: ~}", "99999999999999999999", "1e308", "[~]", "{value: ~}"]
)  # fmt: skip


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_kind_of_value_may_stand_at_any_key(data):
    lines = FULL.read_text().splitlines()
    marks = [(i, line.index(":") + 1) for i, line in enumerate(lines) if ": " in line.split("#")[0]]
    for _ in range(data.draw(st.integers(1, 3))):
        index, at = data.draw(st.sampled_from(marks))
        lines[index] = f"{lines[index][:at]} {data.draw(SCALARS)}"
    loads_or_refuses("\n".join(lines))


def test_loading_imports_nothing_heavy():
    code = (
        "import sys; from repcheck.claims.load import load; load(sys.argv[1]);"
        "print([m for m in ('numpy', 'pandas', 'jinja2', 'torch', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(FULL)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_file_of_nothing_but_mistakes_is_given_up_quickly():
    text = "repcheck: 1\n" + "".join(f"word{i}: 1\n" for i in range(100_000))
    problems = refused(text)
    assert 1_000 <= len(problems) <= 1_001
    assert "too many problems" in problems[-1]
    rows = "".join(f"  - {{method: n{i}, metric: acc, mean: 1}}\n" for i in range(5_000))
    methods = "".join(f"  m{i}: {{}}\n" for i in range(1_000))
    assert len(refused(f"{HEAD}methods:\n{methods}results:\n{rows}{TAIL}")) <= 1_001


def test_an_empty_section_states_nothing():
    assert method("{ema: {}, swa: {x-note: why}}").ema.undeclared
    assert method("{ema: {}, swa: {x-note: why}}").swa.undeclared
