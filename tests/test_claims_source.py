"""YAML is read with the place of everything, and nothing in it is trusted."""

from __future__ import annotations

import os

import pytest

from repcheck.claims import source
from repcheck.claims.load import load
from repcheck.claims.problems import ClaimsError
from repcheck.claims.source import Scalar, Tree, read_tree, scalar_value


def refused(text: str) -> str:
    with pytest.raises(ClaimsError) as error:
        read_tree(text, "c.yaml")
    return str(error.value)


def value(text: str) -> object:
    node = read_tree(f"a: {text}", "c.yaml").entries["a"]
    assert isinstance(node, Scalar)
    return scalar_value(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001), ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("010", 10), ("0x1F", 31),
        ("0o17", 15), ("'5'", "5"), ("true", True), ("False", False), ("~", None), ("", None),
        (".inf", ".inf"), (".nan", ".nan"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("2025-03-01", "2025-03-01"), ("1.", 1.0), ("+.5", 0.5), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, expected):
    got = value(text)
    assert got == expected
    assert type(got) is type(expected)


def test_every_key_and_scalar_keeps_its_place_and_its_printed_text():
    tree = read_tree("a:\n  bb: 93.40\n  c: [x, '1.0']\n", "c.yaml")
    inner = tree.entries["a"]
    assert isinstance(inner, Tree)
    assert inner.marks == {"bb": (2, 3), "c": (3, 3)}
    assert inner.entries["bb"] == Scalar("93.40", plain=True, line=2, column=7)
    assert inner.entries["c"].items[1] == Scalar("1.0", plain=False, line=3, column=10)


def test_the_second_of_two_equal_keys_is_refused_and_both_places_are_named():
    assert refused("a: {x: 1,\n  x: 2}") == (
        "c.yaml:2:3: a.x: the key `x` stands twice; the first is at 1:5; keep one of them"
    )


def test_unquoted_braces_in_a_flow_mapping_are_explained_where_they_stand():
    assert refused('a: {b: "x", predictions: a_{seed}.csv}') == (
        "c.yaml:1:28: not YAML: `{seed}` stands unquoted;"
        ' quote values that contain braces: "...{seed}..."'
    )
    assert "2:4: not YAML: `{out}` stands unquoted" in refused("a: 1\nb: {out}/preds.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"), ("# nothing\n", "empty"), ("[1, 2]", "mapping"), ("word", "mapping"),
        ("a: 1\n---\nb: 2", "several documents"), ("\ta: 1", "tab"), ("a:\n\t b: 1", "tab"),
        ("a: [1", "not YAML"), ("a: b: c", "quote text"), ("a: !!python/object:os.system x", "tag"),
        ("a: !secret x", "tag"), ("a: !!set {x}", "tag"), ("a: *b", "alias"),
        ("a: &x [*x]", "contains itself"), ("a: &x {b: *x}", "contains itself"),
        ('a: "\\0"', "control character"), ('a: "\\x07"', "control character"),
        ("a: \x00", "U+0000"), ("a: \x1b[31m", "U+001B"), ("? [a]\n: 1", "key must be a word"),
        ("{a: {{b}: 1}}", "key must be a word"), ("'': 1", "key is empty"), ("<<: 5", "merges"),
        ("a: @x", "not YAML"), ("a: `x`", "not YAML"), ("%FOO\n---\n[", "not YAML"),
    ],
)  # fmt: skip
def test_text_that_cannot_be_a_claims_file_is_refused_with_its_place(text, said):
    message = refused(text)
    assert said in message
    assert message.startswith("c.yaml:")


def test_depth_is_bounded_before_any_stack_is():
    assert "nested deeper" in refused("[" * 100_000)
    assert "nested deeper" in refused("a: " + "{b: " * 60 + "1" + "}" * 60)
    assert "nested deeper" in refused("- " * 10_000 + "a")
    read_tree("a: " + "[" * 40 + "]" * 40, "c.yaml")


def test_an_alias_bomb_is_refused_without_being_expanded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    assert "aliases stand for more than" in refused("\n".join(lines))


def test_anchors_and_merge_keys_work_and_keep_their_places():
    tree = read_tree(
        "base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\nmany:\n  <<: [*b, {z: 1}]\n", "c"
    )
    own = tree.entries["own"]
    assert isinstance(own, Tree)
    assert {key: node.text for key, node in own.entries.items()} == {"y": "3", "x": "1"}
    assert own.marks["x"] == (1, 11)
    assert set(tree.entries["many"].entries) == {"x", "y", "z"}


def test_what_is_no_readable_file_is_refused_and_nothing_hangs(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes("repcheck: 1\npaper: {title: na\xefve}".encode("latin-1"))
    (tmp_path / "utf16").write_bytes("repcheck: 1".encode("utf-16"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100_000_000)
    expected = {
        "missing": "no such file", "": "is a folder", "pipe": "not a regular file",
        "latin": "2:18: is not UTF-8", "utf16": "is not UTF-8", "large": "larger than 16 MB",
        "n\0ul": "cannot be read",
    }  # fmt: skip
    for name, said in expected.items():
        with pytest.raises(ClaimsError) as error:
            load(tmp_path / name if name != "n\0ul" else f"{tmp_path}/{name}")
        assert said in str(error.value), name
        assert error.value.exit_code == 4
    with pytest.raises(ClaimsError):
        load("/dev/zero")


def test_the_pure_python_parser_reads_the_same_tree(monkeypatch):
    text = "a: {x: 1e-3, y: [1, 'two', {z: ~}]}\nb: &b {c: yes}\nd: *b\n"
    fast = read_tree(text, "c")
    composer = type("Composer", (source._Depth, source.yaml.SafeLoader), {})
    monkeypatch.setattr(source, "_Composer", composer)
    assert read_tree(text, "c") == fast
    assert "nested deeper" in refused("[" * 1000)
