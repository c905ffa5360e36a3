"""Edits of copied files: the named value changes, and no other byte; anything else is refused."""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repcheck.edits import (
    Edit,
    EditFailed,
    UnknownOverride,
    apply,
    apply_flags,
    check,
    parse_override,
)

SETTINGS = settings(max_examples=50, deadline=None, derandomize=True)
YAML, JSON, TOML, PY = "conf.yaml", "conf.json", "conf.toml", "train.py"


def edit(file: str, key: str, value: Any) -> Edit:
    kind = "constant" if file.endswith((".py", ".ipynb")) else "config"
    return Edit(kind=kind, file=file, key=key, value=value)


def put(root: Path, name: str, content: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def after(root: Path, file: str, content: str | bytes, key: str, value: Any) -> str:
    path = put(root, file, content)
    apply([edit(file, key, value)], root)
    return path.read_bytes().decode()


def refused(root: Path, file: str, content: str | bytes, key: str, value: Any) -> str:
    """Return why an edit is refused, having seen that nothing was written."""
    path = put(root, file, content)
    before = path.read_bytes()
    with pytest.raises(EditFailed) as dry:
        check([edit(file, key, value)], root)
    with pytest.raises(EditFailed) as said:
        apply([edit(file, key, value)], root)
    assert str(dry.value) == str(said.value)
    assert path.read_bytes() == before
    assert list(root.iterdir()) == [path]
    return str(said.value)


@pytest.mark.parametrize(
    ("before", "key", "value", "expected"),
    [
        ("optim:\n  lr: 0.1  # tuned\n", "optim.lr", 0.2, "optim:\n  lr: 0.2  # tuned\n"),
        ("b: 1 # x\na: 2 # y\n", "a", 3, "b: 1 # x\na: 3 # y\n"),
        ("stages:\n- {width: 8}\n- width: 16\n", "stages.0.width", 9,
         "stages:\n- {width: 9}\n- width: 16\n"),
        ("stages: [[1, 2], [3, [4]]]\n", "stages[1].1.0", 5, "stages: [[1, 2], [3, [5]]]\n"),
        ("a: 1\r\nb: 2\r\n", "b", 3, "a: 1\r\nb: 3\r\n"),
        ("\ufeffa: 1\nb: 2\n", "b", 3, "\ufeffa: 1\nb: 3\n"),
        ("a: 1\nb: 2", "b", 3, "a: 1\nb: 3"),
        ("größe: é # ü 😀\nb: x\n", "größe", "ö", "größe: ö # ü 😀\nb: x\n"),
        ("name: {a: '😀', b: 1}\n", "name.b", 2, "name: {a: '😀', b: 2}\n"),
        ("{a:, b: 1}\n", "b", 2, "{a:, b: 2}\n"),
        ("a:\nb: 1\n", "a", 3, "a: 3\nb: 1\n"),
        ("a:   # nothing yet\nb: 1\n", "a", 3, "a: 3   # nothing yet\nb: 1\n"),
        ("a.b: {c.d: 1}\n", "a.b.c.d", 2, "a.b: {c.d: 2}\n"),
        ("0: {1: x}\n", "0.1", "y", "0: {1: y}\n"),
        ("? a\n: 1\n? b\n: 2\n", "b", 3, "? a\n: 1\n? b\n: 3\n"),
        ("{\n\t\"a\": 1\n}\n", "a", 2, "{\n\t\"a\": 2\n}\n"),
        ("s: |  # why\n  one\n  two\n\n\n# end\nt: 1\n", "s", "x\ny\n",
         's: "x\\ny\\n"  # why\n\n\n# end\nt: 1\n'),
        ("s: >-\n    one\n    two\nt: 1\n", "s", "x", 's: "x"\nt: 1\n'),
        ("s: one\n  two\nt: 1\n", "s", "x", "s: x\nt: 1\n"),
        ("s: one\n", "s", "x[,]", "s: x[,]\n"),
        ("{s: one}\n", "s", "x[,]", "{s: 'x[,]'}\n"),
        ("a: !x 1\nb: !!python/name:os.system\nc: 1\n", "c", 2,
         "a: !x 1\nb: !!python/name:os.system\nc: 2\n"),
        ("--- # one\na: 1\n...\n", "a", 2, "--- # one\na: 2\n...\n"),
    ],
)  # fmt: skip
def test_one_value_of_a_yaml_file_changes_and_no_other_byte(
    tmp_path: Path, before: str, key: str, value: Any, expected: str
) -> None:
    assert after(tmp_path, YAML, before, key, value) == expected


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("32", "64", "64"), ("32", 64.0, "64"), ("0", 0.5, "0.5"), ("1.0", 2, "2.0"),
        ("1.0", "1e-4", "0.0001"), ("0.1", 1e-5, "1.0e-05"), ("1e-3", 1e-4, "1e-4"),
        ("1e-3", 2, "2e0"), (".5", 0.25, "0.25"), ("0x10", 32, "32"), ("1_000", 2000, "2_000"),
        ("-1", -2, "-2"), ("1.5", float("inf"), ".inf"), ("true", False, "false"),
        ("True", "false", "False"), ("yes", "no", "no"), ("Off", True, "On"),
        ("false", 0.99, "0.99"), ("null", "silu", "silu"), ("~", 3, "3"), ("3", None, "null"),
        ("0o7", None, "null"),
        ("'a'", "it's", "'it''s'"), ('"a"', 'say "x"', '"say \\"x\\""'), ('"0.1"', 0.2, '"0.2"'),
        ("'1'", 2, "'2'"), ("relu", "silu", "silu"), ("relu", "no", "'no'"), ("relu", "1", "'1'"),
        ("relu", "", "''"), ("relu", "a: b", "'a: b'"), ("relu", "- x", "'- x'"),
        ("relu", "a\tb\n", '"a\\tb\\n"'), ("relu", " x", "' x'"), ("a", "😀", "😀"),
        ("a", "x #y", "'x #y'"),
        ("2024-01-02", "2025-03-04", "2025-03-04"), ("relu", "2025-03-04", "'2025-03-04'"),
    ],
)  # fmt: skip
def test_a_value_keeps_the_type_and_the_quotes_that_stood_in_the_yaml_file(
    tmp_path: Path, old: str, value: Any, new: str
) -> None:
    assert after(tmp_path, YAML, f"k: {old}  # c\nl: 1\n", "k", value) == f"k: {new}  # c\nl: 1\n"
    inside = after(tmp_path, YAML, f"[{{k: {old} , l: 1}}]\n", "0.k", value)
    assert inside == f"[{{k: {new} , l: 1}}]\n"


SHARED = """\
base: &base  # shared
  lr: 0.1
  net: {width: 8}
train:
  <<: *base  # merged
  epochs: 10
val: {<<: *base}
test: *base
one: &one 1
two: *one
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("train.lr", "# merged\n", "# merged\n  lr: 0.5\n"),
        ("val.lr", "{<<: *base}", "{<<: *base, lr: 0.5}"),
        ("test.lr", "test: *base", "test: {<<: *base, lr: 0.5}"),
        ("two", "two: *one", "two: 0.5"),
        ("train.epochs", "epochs: 10", "epochs: 0.5"),
    ],
)
def test_a_shared_yaml_value_changes_at_the_named_place_alone(
    tmp_path: Path, key: str, old: str, new: str, newline: str
) -> None:
    text = SHARED.replace("\n", newline)
    found = after(tmp_path, YAML, text, key, 0.5)
    assert found == SHARED.replace(old, new).replace("\n", newline)
    wanted = yaml.safe_load(text)
    wanted["test"] = dict(wanted["test"])
    *above, last = key.split(".")
    (wanted[above[0]] if above else wanted)[last] = 0.5
    assert yaml.safe_load(found) == wanted


def test_an_anchor_that_nothing_else_uses_stays_where_it_is(tmp_path: Path) -> None:
    text = "a: &x 1\nb: &y\nc: {d: &z 'q'}\n"
    assert after(tmp_path, YAML, text, "a", 2) == text.replace("1", "2")
    assert after(tmp_path, YAML, text, "b", 2) == text.replace("&y", "&y 2")
    assert after(tmp_path, YAML, text, "c.d", "r") == text.replace("q", "r")


@pytest.mark.parametrize(
    ("text", "key", "value", "said"),
    [
        (SHARED, "base.lr", 1, "conf.yaml:2: `base.lr` stands within the anchor `&base`; line 5,"
         " line 7, line 8 would change with it"),
        (SHARED, "one", 2, "conf.yaml:9: `one` stands within the anchor `&one`; line 10"),
        (SHARED, "train.net.width", 2, "conf.yaml:5: `train.net.width` comes by an alias"),
        (SHARED, "train.ls", 2, "it has epochs, lr, net); did you mean `train.lr`?"),
        (SHARED, "base", 2, "conf.yaml:1: `base` is a mapping; only a single value"),
        ("optim:\n  lr: 1\n", "lr", 2, "nothing is called `lr`; did you mean `optim.lr`?"),
        ("a: 1\n", "zebra", 2, "a key that is missing is not added"),
        ("a: [1, 2]\n", "a.2", 3, "`a.2` is not there"),
        ("a: 1\nb: 2\na: 3\n", "a", 4, "conf.yaml:1: `a` stands there more than once: `a` is"
         " written in lines 1 and 3"),
        ("a: {b: 1}\na.b: 2\n", "a.b", 3, "names 2 leaves (lines 1, 2)"),
        ("a: 1\n---\na: 2\n", "a", 3, "conf.yaml:2: `a` is sought in a file with more than one"),
        ("a: [1\n", "a", 3, "conf.yaml:2: `a` is sought in what is not YAML"),
        ("a: *nobody\n", "a", 3, "conf.yaml:1: `a` is sought in what is not YAML: `*nobody`"),
        ("", "a", 3, "empty file"),
        ("a: !!int 3\n", "a", 4, "conf.yaml:1: `a` has the tag `int`"),
        ("a: 3\n", "a", "3", "conf.yaml:1: `a` is 3 already; '3' changes nothing"),
        ("a: 1e-3\n", "a", 0.001, "changes nothing"),
        ("a: 0x10\n", "a", 16, "changes nothing"),
        ("a: '3'\n", "a", 3, "changes nothing"),
        ("a: yes\n", "a", True, "changes nothing"),
        ("a: " + "[" * 5000 + "]" * 5000, "a", 1, "nested deeper than 100 levels"),
        ("? {a: 1}\n: 2\n", "a", 1, "`a` is not there"),
        ("{a, b: 1}\n", "a", 3, "conf.yaml:1: `a` cannot become 3 without changing something"),
        ("? a\n? b\n: 1\n", "a", 3, "`a` cannot become 3 without changing something else"),
    ],
)  # fmt: skip
def test_a_yaml_change_that_is_not_clear_is_refused_in_words(
    tmp_path: Path, text: str, key: str, value: Any, said: str
) -> None:
    assert said in refused(tmp_path, YAML, text, key, value)


def test_aliases_that_multiply_cost_no_time(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvw"
    text = "a: &a {x: 1}\n" + "".join(
        f"{now}: &{now} {{<<: [{', '.join([f'*{last}'] * 9)}]}}\n"
        for last, now in pairwise(letters)
    )
    assert "did you mean" in refused(tmp_path, YAML, text + "z: 1\n", "w.y", 1)
    assert after(tmp_path, YAML, text + "z: 1\n", "z", 2) == text + "z: 2\n"
    assert "`a.q` is not there" in refused(tmp_path, YAML, "a: &a\n  <<: *a\n  b: *a\n", "a.q", 1)


@pytest.mark.parametrize(
    ("before", "key", "value", "expected"),
    [
        ('{\n\t"a": {"b": [1, 2.50]},\n\t"c": 1\n}\n', "a.b.1", 3,
         '{\n\t"a": {"b": [1, 3.0]},\n\t"c": 1\n}\n'),
        ('{"a":1,"b":2}', "b", "3", '{"a":1,"b":3}'),
        ('{"a": "x", "b": "1"}', "b", 2, '{"a": "x", "b": "2"}'),
        ('{"a": "\\u00e9\\"}", "b": true}', "b", "false", '{"a": "\\u00e9\\"}", "b": false}'),
        ('{"\\u0061": "q"}', "a", "é", '{"\\u0061": "\\u00e9"}'),
        ('{"ä": "q"}', "ä", "é", '{"ä": "é"}'),
        ('{"big": 123456789012345678901234567890, "b": 1e400, "c": NaN}', "big", 7,
         '{"big": 7, "b": 1e400, "c": NaN}'),
        ('{"a": 9' + "9" * 6000 + ', "b": 1}', "b", 2, '{"a": 9' + "9" * 6000 + ', "b": 2}'),
        ('{"a": 1, "x": {"d": 1, "d": 2}}', "a", 2, '{"a": 2, "x": {"d": 1, "d": 2}}'),
        ('\ufeff[1,\r\n 2]', "1", 5, '\ufeff[1,\r\n 5]'),
        ('{"a": null, "<<": {"b": 1}}', "a", "x", '{"a": "x", "<<": {"b": 1}}'),
        ('{"lr": 1e-3}', "lr", 1e-4, '{"lr": 0.0001}'),
    ],
)  # fmt: skip
def test_one_value_of_a_json_file_changes_and_no_other_byte(
    tmp_path: Path, before: str, key: str, value: Any, expected: str
) -> None:
    assert after(tmp_path, JSON, before, key, value) == expected


@pytest.mark.parametrize(
    ("text", "key", "value", "said"),
    [
        ('{\n"a": 1 // c\n}', "a", 2, "conf.json:2: `a` is sought in what is not JSON"),
        ('{"b": {"a": 1,\n"a": 2}}', "b.a", 3, "`a` is written in lines 1 and 2"),
        ('{"<<": {"b": 1}, "c": {}}', "c.b", 2, "`c.b` is not there"),
        ('{"a": 1}', "a", 1.0, "changes nothing"),
        ('{"a": 1}', "a", float("nan"), "JSON has no such number"),
        ('{"optim": {"lr": 1}}', "optim.lr.x", 2, "nothing is called `x` in `optim.lr`"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "a.0", 2, "nested"),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}", "a.0", 2, "nested deeper than 100 levels"),
        ('{"a": 9' + "9" * 6000 + "}", "a", 2, "absurdly long"),
        ("3", "a", 2, "without keys"),
    ],
)
def test_a_json_change_that_is_not_clear_is_refused_in_words(
    tmp_path: Path, text: str, key: str, value: Any, said: str
) -> None:
    assert said in refused(tmp_path, JSON, text, key, value)


TABLES = """\
# lr = 0.1
title = 'a "lr = 0.1" b'
lr = 0.1 # first
1 = 1
[a]
lr = 0.1
x = [1, 2, [1],
  [1]
]
in = {lr = 0.1, on = true}
[[s]]
w = 0x10
[[s]]
w = 0x10 # second
text = '''
lr = 0.1
'''
day = 2024-01-02 03:04:05
"k.q".lr = 0.1
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("lr", 1e-5, "lr = 0.1 # first", "lr = 1e-05 # first"),
        ("a.lr", "1", "[a]\nlr = 0.1", "[a]\nlr = 1.0"),
        ("a.x.0", 7, "[1, 2", "[7, 2"),
        ("a.x.2.0", 7, ", [1]", ", [7]"),
        ("a.x.3.0", 7, "  [1]", "  [7]"),
        ("1", 5, "1 = 1", "1 = 5"),
        ("a.in.lr", 2, "in = {lr = 0.1", "in = {lr = 2.0"),
        ("a.in.on", "false", "on = true", "on = false"),
        ("s.1.w", "17", "w = 0x10 # second", "w = 17 # second"),
        ("s.1.text", "x\n", "'''\nlr = 0.1\n'''", '"x\\n"'),
        ("s.1.day", "2025-01-02 03:04:05", "2024", "2025"),
        ("s.1.k.q.lr", 0.3, '"k.q".lr = 0.1', '"k.q".lr = 0.3'),
        ("title", "it's", "'a \"lr = 0.1\" b'", '"it\'s"'),
        ("title", "t", "'a \"lr = 0.1\" b'", "'t'"),
    ],
)
def test_one_value_of_a_toml_file_changes_and_no_other_byte(
    tmp_path: Path, key: str, value: Any, old: str, new: str, newline: str
) -> None:
    assert TABLES.count(old) == 1
    found = after(tmp_path, TOML, TABLES.replace("\n", newline), key, value)
    assert found == TABLES.replace(old, new).replace("\n", newline)
    assert tomllib.loads(found) != tomllib.loads(TABLES)


def test_a_toml_table_named_like_a_value_is_no_value(tmp_path: Path) -> None:
    text = "[7] # 7\nk = 7\n[[true.7]]\nk = 7\n"
    assert after(tmp_path, TOML, text, "7.k", 8) == text.replace("k = 7\n[[", "k = 8\n[[")
    assert after(tmp_path, TOML, text, "true.7.0.k", 8) == text[:-2] + "8\n"


@pytest.mark.parametrize(
    ("text", "key", "value", "said"),
    [
        ("a = 1\nb = \n", "a", 2, "conf.toml:2: `a` is sought in what is not TOML"),
        ("a = 1\n", "a", None, "TOML does not have"),
        ("a = 1\n", "a", 1.0, "changes nothing"),
        ("a = nan\n", "a", float("nan"), "changes nothing"),
        ("a = 2024-01-02\n", "a", "soon", "is a date or a time"),
        ("[a]\nlr = 1\n", "a.lx", 2, "did you mean `a.lr`?"),
        ("[a]\nlr = 1\n", "a", 2, "name one value of it: a.lr"),
        ("a = " + "[" * 5000 + "]" * 5000, "a.0", 2, "nested too deeply"),
    ],
)
def test_a_toml_change_that_is_not_clear_is_refused_in_words(
    tmp_path: Path, text: str, key: str, value: Any, said: str
) -> None:
    assert said in refused(tmp_path, TOML, text, key, value)


SOURCE = '''\
"""Train, width 8."""
import os

WIDTH = 8  # breite ü
LR, MOMENTUM = 1e-3, -2
ä = "é"; ACT = "relu"; DEPTH = 3
BIG: int = 1_000
TWICE = 1
TWICE += 1
ENV = int(os.environ.get("N", "3"))
A1 = A2 = 4
GROUPS = 4


class Config:
    width: int = 16

    def f(self, width=8, *, act='gelu', k=None):
        return f"{width:8} {2}" + str(2**8)


def g(width=4, n=-1):
    global GROUPS
    GROUPS = 3
    return-1


parser.add_argument("-w", "--width", type=int,
    default=64)
parser.add_argument("--amp", action="store_true")
z = foo("a", 0.1, True)
flag = True
LONG = """a
b"""
y = 1if flag else 2
print(f"{3}")
Config.depth = 4
seen = [GROUPS for WIDTH in range(3)]
'''


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("WIDTH", "32", "WIDTH = 8", "WIDTH = 32"),
        ("4", 32, "WIDTH = 8", "WIDTH = 32"),
        ("LR", 3e-4, "1e-3", "0.0003"),
        ("MOMENTUM", 2, "-2", "2"),
        ("5:2", "-3", "-2", "-3"),
        ("ACT", "silu", '"relu"', '"silu"'),
        ("ACT", 'a"b', '"relu"', "'a\"b'"),
        ("DEPTH", -1, "DEPTH = 3", "DEPTH = -1"),
        ("6:3", 4, "DEPTH = 3", "DEPTH = 4"),
        ("BIG", 5, "1_000", "5"),
        ("Config.width", 9, "width: int = 16", "width: int = 9"),
        ("f.width", 9, "self, width=8", "self, width=9"),
        ("Config.f.act", "x", "'gelu'", "'x'"),
        ("f.k", 3, "k=None", "k=3"),
        ("g.n", 2, "n=-1", "n=2"),
        ("--width", 9, "default=64", "default=9"),
        ("-w", 9, "default=64", "default=9"),
        ("25", 5, "return-1", "return 5"),
        ("25", -5, "return-1", "return-5"),
        ("19:2", -1, "2**8", "2**-1"),
        ("flag", "false", "flag = True", "flag = False"),
        ("32", False, "flag = True", "flag = False"),
        ("31:2", 0.2, "0.1, True", "0.2, True"),
        ("35:1", -1, "1if", "-1if"),
        ("35:1", "s", "1if", "'s'if"),
    ],
)  # fmt: skip
def test_one_literal_of_a_source_file_changes_and_no_other_byte(
    tmp_path: Path, key: str, value: Any, old: str, new: str, newline: str
) -> None:
    assert SOURCE.count(old) == 1
    found = after(tmp_path, PY, SOURCE.replace("\n", newline), key, value)
    assert found == SOURCE.replace(old, new).replace("\n", newline)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("WIDHT", 3, "`WIDHT` is not there: no module, class, parameter or option has a literal of"
         " this name; did you mean `WIDTH`?"),
        ("WIDTH", "8", "train.py:4: `WIDTH` is 8 already; '8' changes nothing"),
        ("TWICE", 2, "train.py:8: `TWICE` is given more than once: `TWICE` in line 8; `TWICE` in"
         " line 9"),
        ("GROUPS", 2, "`GROUPS` in line 12; `GROUPS` in line 24"),
        ("width", 2, "`Config.width` in line 16; `Config.f.width` in line 18; `g.width` in line"
         " 22; name one of them in full, or its line"),
        ("ENV", 2, "train.py:10: `ENV` cannot be changed: it is no literal"),
        ("A1", 2, "train.py:11: `A1` cannot be changed: `A1` does not stand alone before its `=`"),
        ("Config.depth", 2, "train.py:37: `Config.depth` cannot be changed: `Config.depth` is"
         " assigned from outside"),
        ("os", 2, "`os` is imported"),
        ("--amp", True, "`--amp` has no `default=`; give it on the command"),
        ("LONG", "x", "train.py:33: `LONG` is a text over several lines"),
        ("LR", float("inf"), "Python has no such literal"),
        ("31", 1, "train.py:31: `31` has 2 literals: `31:1` is 'a', `31:2` is 0.1; name one"),
        ("31:3", 1, "train.py:31: `31:3` is not there; `31:1` is 'a', `31:2` is 0.1"),
        ("1", "x", "train.py:1: `1` has no literal that can be changed"),
        ("36", 1, "train.py:36: `36` has no literal that can be changed (texts with `f`"),
        ("99", 1, "train.py: `99` is no line of the file, which has 39"),
        ("0", 1, "`0` is no line of the file"),
    ],
)  # fmt: skip
def test_a_literal_that_is_not_clear_is_refused_in_words(
    tmp_path: Path, key: str, value: Any, said: str
) -> None:
    assert said in refused(tmp_path, PY, SOURCE, key, value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("print 3\n", "train.py:1: `A` is sought in what this Python cannot parse"),
        ("A = 3\nx = '''\n", "train.py:2: `A` is sought in what this Python cannot parse"),
        ("# coding: nonsense\nA = 3\n", "train.py:1: `A` is sought in what is no Python source"),
        (b"\xffA = 2\n", "train.py:1"),
        (b"A = 2\n\x00", "binary file"),
        ("# coding: latin-1\nA = 'ü'\n".encode("latin-1"), "characters that iso-8859-1 does not"),
        ("A = 2\nx = " + "+".join("1" * 5000), "nested too deeply"),
        ("if x:\n    A = 2\nelse:\n    A = 3\n", "`A` in line 2; `A` in line 4"),
        ("A = 2\nexcept_ = 1\ntry:\n    pass\nexcept E as A:\n    pass\n", "`A` in line 5"),
        ("p.add_argument('--A', default=3)\np.set_defaults(A=4)\n", "named `A`"),
    ],
)
def test_a_source_that_cannot_be_changed_safely_is_refused(
    tmp_path: Path, source: str | bytes, said: str
) -> None:
    key = "--A" if "named" in said else "A"
    said = "`--A` in line 1; `--A` in line 2" if "named" in said else said
    assert said in refused(tmp_path, PY, source, key, "日本")


def test_a_source_keeps_its_encoding(tmp_path: Path) -> None:
    source = "# coding: latin-1\nN = 'ü'; A = 2\n".encode("latin-1")
    put(tmp_path, PY, source)
    apply([edit(PY, "A", 3), edit(PY, "N", "é")], tmp_path)
    found = (tmp_path / PY).read_bytes()
    assert found == "# coding: latin-1\nN = 'é'; A = 3\n".encode("latin-1")
    marked = b"\xef\xbb\xbfA = 2\r\n"
    put(tmp_path, PY, marked)
    apply([edit(PY, "A", 3)], tmp_path)
    assert (tmp_path / PY).read_bytes() == b"\xef\xbb\xbfA = 3\r\n"


def test_a_source_with_doubtful_escapes_is_edited_without_a_word(tmp_path: Path) -> None:
    assert after(tmp_path, PY, "A = 2\nR = '\\d'\n", "A", 3) == "A = 3\nR = '\\d'\n"


def test_the_kind_of_file_has_to_fit_the_kind_of_edit(tmp_path: Path) -> None:
    assert "export the notebook as a .py file" in refused(tmp_path, "n.ipynb", "{}", "A", 1)
    (tmp_path / "n.ipynb").unlink()
    put(tmp_path, PY, "A = 1\n")
    put(tmp_path, "conf.ini", "a = 1\n")
    wrong = [
        (Edit(kind="config", file=PY, key="A", value=2), "use `constant:` for source code"),
        (Edit(kind="constant", file="conf.ini", key="a", value=2), "name a .py file"),
        (Edit(kind="config", file="conf.ini", key="a", value=2), "neither YAML, JSON nor TOML"),
    ]
    for one, said in wrong:
        with pytest.raises(EditFailed, match=said):
            check([one], tmp_path)


@pytest.mark.parametrize("name", [YAML, JSON, TOML])
def test_what_is_no_text_is_refused(tmp_path: Path, name: str) -> None:
    assert f"{name}:2: `a` is sought in what is not utf-8" in refused(
        tmp_path, name, b"a: 1\nb: \xff\n", "a", 2
    )
    assert "binary file" in refused(tmp_path, name, b"PK\x00\x01", "a", 2)
    assert "larger than 5 MB" in refused(tmp_path, name, b" " * 5_000_001, "a", 2)


def test_files_outside_of_the_root_and_links_are_never_touched(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    secret = put(outside, YAML, "a: 1\n")
    put(root, "in/real.yaml", "a: 1\n")
    (root / "link.yaml").symlink_to(secret)
    (root / "inner.yaml").symlink_to("in/real.yaml")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.yaml")
    for file, said in [
        ("../outside/conf.yaml", "outside of the artifact"),
        (str(secret), "outside of the artifact"),
        ("in/../../outside/conf.yaml", "outside of the artifact"),
        ("", "outside of the artifact"),
        (".", "outside of the artifact"),
        ("a\0b", "outside of the artifact"),
        ("link.yaml", "links are not followed"),
        ("inner.yaml", "links are not followed"),
        ("folder/conf.yaml", "links are not followed"),
        ("in/real.yaml/x.yaml", "through a symbolic link or a file"),
        ("in/reel.yaml", "did you mean `real.yaml`?"),
        ("pipe.yaml", "no regular file"),
        ("in", "no regular file"),
    ]:
        for go in (apply, check):
            with pytest.raises(EditFailed, match=said.replace("?", r"\?")):
                go([Edit(kind="config", file=file, key="a", value=2)], root)
    assert secret.read_text() == (root / "in/real.yaml").read_text() == "a: 1\n"


def test_a_read_only_or_hard_linked_file_is_changed_in_the_copy_alone(tmp_path: Path) -> None:
    original = put(tmp_path, "original.yaml", "a: 1\n")
    original.chmod(0o555)
    (tmp_path / "root").mkdir()
    copied = tmp_path / "root" / YAML
    copied.hardlink_to(original)
    apply([edit(f"./{YAML}", "a", 2)], tmp_path / "root")
    assert (copied.read_text(), original.read_text()) == ("a: 2\n", "a: 1\n")
    assert stat.S_IMODE(copied.stat().st_mode) == 0o755
    assert stat.S_IMODE(original.stat().st_mode) == 0o555
    assert list((tmp_path / "root").iterdir()) == [copied]


def test_several_edits_are_made_together_or_not_at_all(tmp_path: Path) -> None:
    put(tmp_path, YAML, "a: 1\nb: 2\n")
    put(tmp_path, PY, "A = 1\n")
    good = [edit(YAML, "a", 3), edit(PY, "A", 4), edit(YAML, "b", 5)]
    for bad, said in [
        (edit(PY, "B", 1), "not there"),
        (edit(f"./{YAML}", "a", 9), "`a` is changed twice"),
    ]:
        with pytest.raises(EditFailed, match=said):
            apply([*good, bad], tmp_path)
    assert (tmp_path / YAML).read_text() + (tmp_path / PY).read_text() == "a: 1\nb: 2\nA = 1\n"
    check(good, tmp_path)
    assert (tmp_path / YAML).read_text() + (tmp_path / PY).read_text() == "a: 1\nb: 2\nA = 1\n"
    apply(good, tmp_path)
    assert (tmp_path / YAML).read_text() + (tmp_path / PY).read_text() == "a: 3\nb: 5\nA = 4\n"


def test_an_override_is_taken_apart_by_the_way_it_is_applied() -> None:
    found = parse_override(
        {
            "act": "silu", "epochs": 20.0, "lr": 1e-4, "nesterov": True, "width": "auto",
            "cli": "--pool 'a b' --amp",
            "config": {"conf.yaml:optim.lr": 0.1, "c.json:a:b": None},
            "constant": {"train.py:41:2": 32, "train.py:--width": "8"},
            "env": {"OMP_NUM_THREADS": 1, "FLAG": False, "EMPTY": ""},
            "probe": {"activation": {"from": "ReLU", "to": "SiLU"}, "lr": 0.1, "raw-weights": None},
        }
    )  # fmt: skip
    assert found.set == {
        "act": "silu", "epochs": "20", "lr": "0.0001", "nesterov": "true", "width": "auto",
    }  # fmt: skip
    assert found.flags == ("--pool", "a b", "--amp")
    assert found.edits == (
        Edit(kind="config", file="conf.yaml", key="optim.lr", value=0.1),
        Edit(kind="config", file="c.json", key="a:b", value=None),
        Edit(kind="constant", file="train.py", key="41:2", value=32),
        Edit(kind="constant", file="train.py", key="--width", value="8"),
    )
    assert found.env == {"OMP_NUM_THREADS": "1", "FLAG": "false", "EMPTY": ""}
    assert found.surgery == (
        {"kind": "activation", "from": "ReLU", "to": "SiLU"},
        {"kind": "lr", "value": 0.1},
        {"kind": "raw-weights", "value": None},
    )
    assert parse_override({"cli": ("--lr", 0.1)}).flags == ("--lr", "0.1")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({}, "`override` changes nothing; give a placeholder or one of cli, config"),
        ({"confg": {"a.yaml:b": 1}}, "`override.confg` has to be one value, found"),
        ({"confg": {"a.yaml:b": 1}}, "did you mean `config`?"),
        ({"act": None}, "`override.act` has to be one value, found None"),
        ({"act": ["a"]}, "`override.act` has to be one value"),
        ({"{act}": "silu"}, "`override.{act}` is no name of a placeholder"),
        ({"cli": "--a 'b"}, "`override.cli` cannot be split"),
        ({"cli": " "}, "`override.cli` appends nothing"),
        ({"cli": {"--a": 1}}, "`override.cli` is"),
        ({"cli": 3}, "`override.cli` is 3"),
        ({"cli": ["--a", None]}, "`override.cli` holds None"),
        ({"config": "a.yaml:b=1"}, "`override.config` has to be a mapping"),
        ({"config": {}}, "`override.config` has to be a mapping"),
        ({"config": {"a.yaml": 1}}, "`override.config.a.yaml` does not name a file and a key"),
        ({"config": {"a.yaml": {"b": 1}}}, "does not name a file and a key"),
        ({"config": {"a.yaml:b": {"c": 1}}}, "`override.config.a.yaml:b` has to be one value"),
        ({"constant": {":WIDTH": 1}}, "does not name a file and a key"),
        ({"env": {"A=B": 1}}, "is no variable's name that can be set"),
        ({"env": {"REPCHECK_SURGERY": "[]"}}, "is no variable's name that can be set"),
        ({"env": {"A": None}}, "`override.env.A` has to be text"),
        ({"env": {"A": "\0"}}, "`override.env.A` has to be text"),
        ({"probe": "activation"}, "`override.probe` has to be a mapping"),
        ({"probe": {"lr": {"kind": "x"}}}, "`override.probe.lr.kind` is given twice"),
    ],
)
def test_an_override_of_no_known_form_is_refused_in_words(
    override: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnknownOverride) as refusal:
        parse_override(override)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("command", "flags", "wanted"),
    [
        ("python train.py --act relu data", "--act silu", "python train.py data --act silu"),
        ("python train.py --act=relu --n 1", "--act silu", "python train.py --n 1 --act silu"),
        ("python train.py --act relu --n 1", "--act=silu", "python train.py --n 1 --act=silu"),
        ("python train.py --n -1 --m 2", "--n -2", "python train.py --m 2 --n -2"),
        ("python train.py --amp data", "--amp", "python train.py data --amp"),
        ("python train.py --a 1 --a 2 --ab 3", "--a 4", "python train.py --ab 3 --a 4"),
        ("python train.py --b 1 2 --c 3", "--b 4 5 --c 6", "python train.py --b 4 5 --c 6"),
        ("python train.py -b 1", "-b 2", "python train.py -b 2"),
        ("python -u -W ignore train.py -u 1", "-u 2", "python -u -W ignore train.py -u 2"),
        ("python3.11 -m train -m 1", "-m 2", "python3.11 -m train -m 2"),
        ("/env/bin/python -c code -c 1", "-c 2", "/env/bin/python -c code -c 2"),
        ("./train --x 1", "--x 2", "./train --x 2"),
        ("python train.py optim.lr=1 b=2", "optim.lr=3", "python train.py b=2 optim.lr=3"),
        ("python train.py +a.b=1", "++a.b=3 c=1", "python train.py ++a.b=3 c=1"),
        ("python train.py --opts a=1", "a=2", "python train.py --opts a=1 a=2"),
        ("python train.py", "--act silu", "python train.py --act silu"),
        ("", "--a 1", "--a 1"),
    ],
)
def test_flags_are_appended_once_in_place_of_earlier_ones(
    command: str, flags: str, wanted: str
) -> None:
    once = apply_flags(command.split(), flags.split())
    assert once == tuple(wanted.split())
    if "--opts" not in command and command:
        assert apply_flags(once, flags.split()) == once


WORDS = st.one_of(
    st.text(st.sampled_from("ab é😀:#-,[]{}'\"\\\t\n%&*!|>?@`~=0.1"), max_size=8),
    st.sampled_from(
        ["yes", "no", "null", "~", "1e-3", "0x1", "1:30", "2024-01-02", "<<", "=", "-"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=5),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False), WORDS,
)  # fmt: skip
NAMES = st.text(st.sampled_from("abcé_- "), min_size=1, max_size=4).filter(lambda t: t == t.strip())
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4),
        st.dictionaries(NAMES, inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict | list))  # fmt: skip


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(tree, dict | list):
        return [path]
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [found for key, child in pairs for found in leaves(child, (*path, key))]


def value_at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def put_at(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    value_at(tree, path[:-1])[path[-1]] = value
    return tree


def alike(old: Any) -> Any:
    """Return values that can stand where an old one did, and keep its type."""
    if old is None or isinstance(old, bool):
        return st.just(not old)
    if isinstance(old, int):
        return st.integers(-(10**9), 10**9)
    if isinstance(old, float):
        return st.floats(allow_nan=False, allow_infinity=False)
    return WORDS


def outside_of(before: str, found: str) -> int:
    """Return how much of a text is not a beginning or an end that stayed as it was."""
    head = next((i for i, pair in enumerate(zip(before, found, strict=False)) if len({*pair}) > 1),
                min(len(before), len(found)))  # fmt: skip
    turned = zip(before[head:][::-1], found[head:][::-1], strict=False)
    tail = next((i for i, pair in enumerate(turned) if len({*pair}) > 1),
                min(len(before), len(found)) - head)  # fmt: skip
    return len(before) - head - tail


def scalar(draw: Any, value: Any) -> str:
    """Print a value as YAML, on one line and in any style."""
    if value is None:
        return draw(st.sampled_from(["", " ~", " null"]))
    style = draw(st.sampled_from([None, "'", '"'])) if isinstance(value, str) else None
    text = yaml.safe_dump(
        [value], default_flow_style=True, default_style=style, allow_unicode=True, width=2**30
    )[1:-2]
    if "\n" in text:
        text = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=2**30)[:-1]
    return f" {text}"


def within(draw: Any, tree: Any) -> str:
    """Print a tree in brackets and braces."""
    if isinstance(tree, dict):
        pairs = (
            f"{scalar(draw, key)[1:]}:{within(draw, one) or ' ~'}" for key, one in tree.items()
        )
        return f" {{{', '.join(pairs)}}}"
    if isinstance(tree, list):
        return f" [{','.join(within(draw, one) or ' ~' for one in tree)} ]"
    return scalar(draw, tree)


def printed(draw: Any, tree: Any, indent: str = "") -> str:
    """Print a tree with comments, empty lines, blocks and brackets."""
    deeper = indent + draw(st.sampled_from(["  ", "   "]))
    pairs = (
        [(f"{scalar(draw, key)[1:]}:", one) for key, one in tree.items()]
        if isinstance(tree, dict)
        else [("-", one) for one in tree]
    )
    text = ""
    for head, one in pairs:
        note = draw(st.sampled_from(["", "", "  # ü: 'x", " # ü: [1, {", "  #", "\n\n# *a &b"]))
        if isinstance(one, dict | list) and draw(st.booleans()):
            text += f"{indent}{head}{note}\n{printed(draw, one, deeper)}"
        else:
            text += f"{indent}{head}{within(draw, one)}{note}\n"
    return text


@SETTINGS
@given(st.data(), TREES)
def test_in_any_yaml_tree_only_the_named_leaf_changes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, tree: Any
) -> None:
    text = printed(data.draw, tree).replace("\n", data.draw(st.sampled_from(["\n", "\r\n"])))
    assume(yaml.safe_load(text) == tree)  # PyYAML does not read every character it prints
    path = data.draw(st.sampled_from(leaves(tree)))
    old = value_at(tree, path)
    new = data.draw(alike(old))
    assume(type(old) is not type(new) or old != new)
    assume(not re.fullmatch(r"[-+.\deE]+", str(old) * isinstance(old, str)))  # YAML 1.2's `1e-3`
    root = tmp_path_factory.getbasetemp() / "yaml"
    found = after(root, YAML, text, ".".join(map(str, path)), new)
    assert yaml.safe_load(found) == put_at(yaml.safe_load(text), path, new)
    lines = list(zip(text.split("\n"), found.split("\n"), strict=True))
    [(was, now)] = [(was, now) for was, now in lines if was != now]
    assert outside_of(was, now) <= len(yaml.safe_dump(old, default_style='"', width=2**30))
    assert was.count("# ü: ") == now.count("# ü: ")


@SETTINGS
@given(st.data(), TREES)
def test_in_any_json_tree_only_the_named_leaf_changes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, tree: Any
) -> None:
    root = tmp_path_factory.getbasetemp() / "json"
    text = json.dumps(
        tree, indent=data.draw(st.sampled_from([None, 0, 2, "\t"])),
        ensure_ascii=data.draw(st.booleans()),
    )  # fmt: skip
    path = data.draw(st.sampled_from(leaves(tree)))
    old = value_at(tree, path)
    new = data.draw(alike(old))
    assume(type(old) is not type(new) or old != new)
    found = after(root, JSON, text, ".".join(map(str, path)), new)
    assert repr(json.loads(found)) == repr(put_at(json.loads(text), path, new))
    assert outside_of(text, found) <= len(json.dumps(old))


@SETTINGS
@given(st.data(), st.lists(LEAVES, min_size=1, max_size=6))
def test_in_any_line_of_source_only_the_named_literal_changes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, values: list[Any]
) -> None:
    root = tmp_path_factory.getbasetemp() / "source"
    text = "; ".join(f"é{index} = {value!r}" for index, value in enumerate(values)) + "  # ü\n"
    index = data.draw(st.integers(0, len(values) - 1))
    old = values[index]
    new = data.draw(alike(old))
    assume(type(old) is not type(new) or old != new)
    found = after(root, PY, text, f"é{index}", new)
    values[index] = new
    assert repr([ast.literal_eval(one.value) for one in ast.parse(found).body]) == repr(values)
    assert outside_of(text, found) <= len(repr(old))
