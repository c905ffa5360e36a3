"""Networks beside each other: what counts as a difference, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from observed_support import runs_beside
from op_support import network

from repcheck import rules
from repcheck.claims.load import load
from repcheck.fact import Evidence, Level
from repcheck.judge import judge
from repcheck.model_diff import Diff, Difference, compare, differences
from repcheck.observation import NetworkSeen, OpSeen
from repcheck.op_graph import Graph
from repcheck.op_kinds import written_out
from repcheck.rule import State

SIZE = {"width", "depth"}
FIXTURES = Path(__file__).parent / "rules" / "modifications"
RULES = rules.load()


def beside(ours: str, theirs: str) -> Diff:
    return compare(network(ours), network(theirs))


def only(ours: str, theirs: str) -> Difference:
    [found] = [one for one in beside(ours, theirs).differences if one.category not in SIZE]
    return found


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("small", "small"),
        ("small wide", "small"),
        ("written relu", "small"),
        ("written relu mask", "small"),
        ("residual wide", "residual"),
        ("residual deep", "residual"),
        ("residual synchronised", "residual"),
        ("residual frozen", "residual"),
        ("unet", "unet"),
        ("encoder norm first", "encoder"),
        ("attends twice", "attends once"),
        ("cell", "cell"),
        ("mlp sigmoid head", "mlp"),
        ("mlp", "mlp sigmoid head"),
    ],
)
def test_networks_that_differ_in_size_or_spelling_alone_are_alike(ours: str, theirs: str) -> None:
    assert [one for one in beside(ours, theirs).differences if one.category not in SIZE] == []


@pytest.mark.parametrize(
    ("ours", "theirs", "category", "counts", "params", "words"),
    [
        ("small silu", "small", "activation", (2, 2), 0, "silu in 2 of 2 positions"),
        ("encoder gelu", "encoder", "activation", (2, 2), 0, "gelu in 2 of 2 positions"),
        ("mlp prelu", "mlp", "activation", (2, 2), 2, "prelu in 2 of 2 positions"),
        ("small gate", "small", "attention", (1, 0), 76, "1 gate beside none"),
        ("residual gate", "residual", "attention", (1, 0), 292, "1 gate beside none"),
        ("small convolutions", "small", "resampling", (2, 0), 528, "strided convolution in 2 of 2"),
        ("residual gem", "residual", "resampling", (5, 4), 1, "learnt exponent in 1 of 1"),
        ("unet transposed", "unet", "resampling", (1, 0), 1040, "transposed convolution in 1 of 2"),
        ("unet shuffle", "unet", "resampling", (1, 0), 9280, "pixel_shuffle with a convolution"),
        ("unet before", "unet", "resampling", (0, 0), 2320, "interpolate with a convolution"),
        ("small edge", "small", "skips", (1, 0), 1280, "(+8 concatenated channels)"),
        ("residual edge", "residual", "skips", (4, 3), 0, "joined 4 times beside 3 times"),
        ("unet", "unet apart", "skips", (1, 0), 576, "joined once beside 0 times"),
        ("small batch norm", "small", "norm", (2, 0), 32, "batch_norm in 2 of 2 positions"),
        ("small standardized", "small", "norm", (2, 0), 0, "batch_norm in 2 of 2 positions"),
        ("small rms", "small", "norm", (2, 0), 0, "rms_norm in 2 of 2 positions"),
        ("residual groups", "residual", "norm", (8, 8), 0, "group_norm in 8 of 8 positions"),
        ("mlp weight norm", "mlp", "norm", (1, 0), 0, "weight_norm in 1 of 1 positions"),
        ("small dropout", "small", "dropout", (1, 0), 0, "dropout 0.3 in 1 of 1 positions"),
    ],
)
def test_each_change_is_found_alone_counted_and_priced(
    ours: str, theirs: str, category: str, counts: tuple[int, int], params: int, words: str
) -> None:
    found = only(ours, theirs)
    assert (found.category, (found.ours, found.theirs)) == (category, counts)
    assert found.params == params
    assert words in found.words
    assert found.extra


@pytest.mark.parametrize(
    "name",
    [
        *("silu", "gelu", "gelu tanh", "gelu quick", "softplus", "mish", "hardswish"),
        *("leaky_relu", "leaky_relu max"),
    ],
)
def test_an_activation_that_is_written_out_is_what_it_computes(name: str) -> None:
    found = only(f"written {name}", "small")
    assert {(one.ours, one.theirs) for one in found.positions} == {(name.split()[0], "relu")}
    assert len(found.positions) == 2


def test_a_difference_names_the_modules_it_is_in() -> None:
    assert only("small batch norm", "small").places == ("n1", "n2")
    [position] = only("residual gem", "residual").positions
    assert (position.path, position.classes) == ("pool", ("GeM",))


def test_what_only_the_baseline_has_is_not_extra() -> None:
    for theirs, ours in (("small gate", "small"), ("small edge", "small"), ("unet", "unet apart")):
        assert not only(ours, theirs).extra


def test_halves_of_one_output_are_a_gated_unit_and_no_activation_or_attention() -> None:
    assert only("attends glu", "attends").positions[0].ours == "none"
    assert beside("attends glu", "attends glu").ours.activations == ()
    cells = beside("cell relu", "cell")
    assert cells.of("attention") is None


def test_different_architectures_are_not_alike() -> None:
    assert beside("encoder", "residual").share < 0.3
    assert beside("residual deep", "residual").share > 0.8
    assert beside("small wide", "small").share == 1.0


def test_width_and_depth_are_told_apart_from_the_rest() -> None:
    wide, deep = beside("small wide", "small"), beside("residual deep", "residual")
    assert [one.category for one in wide.differences] == ["width"]
    assert [one.category for one in deep.differences] == ["depth"]
    found = deep.of("depth")
    assert found is not None
    assert (found.ours - found.theirs, found.params) == (4, 23040)


def test_the_smallest_arrangements_of_a_difference_mirror_each_other() -> None:
    for ours, theirs in (("small silu", "small"), ("small batch norm", "small")):
        forth, back = only(ours, theirs), only(theirs, ours)
        assert forth.params == -back.params
        assert {(one.ours, one.theirs) for one in forth.positions} == {
            (one.theirs, one.ours) for one in back.positions
        }


def test_a_forged_record_is_answered_and_never_breaks() -> None:
    forged = NetworkSeen(
        root=0,
        cls="Net",
        params=0,
        trainable=0,
        ops=(
            OpSeen(op="mul", inputs=(7, -5, 0, 1), shape=(3,)),
            OpSeen(op="pow", inputs=(0,), shape=(3,), parts={"exponent": 1e300}),
            OpSeen(op="where", inputs=(), shape=(3,)),
            OpSeen(op="log", inputs=(2,), shape=(3,)),
            OpSeen(op="conv2d", inputs=(3,), shape=(), parts={"kernel": 3, "stride": "no"}),
            OpSeen(op="add", inputs=(4, 0), parts={"other": "x", "from": 3}),
            OpSeen(op="avg_pool2d", inputs=(), shape=(), parts={"from": ()}),
            OpSeen(op="mean", inputs=(5,), parts={"from": (1.0, 2.0, 3.0), "dim": True}),
        ),
    )
    assert differences(forged, forged) == ()
    assert differences(forged, network("small"))
    assert differences(network("small"), forged)
    empty = replace(forged, ops=())
    assert differences(empty, empty) == ()
    assert differences(empty, network("small"))


def test_a_scaled_activation_is_no_other_activation() -> None:
    ops = (
        OpSeen(op="linear", inputs=(-1,), shape=(4,)),
        OpSeen(op="relu", inputs=(0,), shape=(4,)),
        OpSeen(op="mul", inputs=(1,), shape=(4,), parts={"other": 1.7}),
    )
    graph = Graph.of(NetworkSeen(root=0, cls="Net", params=0, trainable=0, ops=ops))
    assert written_out(graph, 2)[0] == ""


def test_long_networks_are_paired_by_runs_of_equal_layers() -> None:
    layers = tuple(OpSeen(op="linear", inputs=(at - 1,), shape=(4,)) for at in range(1100))
    long = NetworkSeen(root=0, cls="Net", params=0, trainable=0, ops=layers)
    found = compare(long, replace(long, ops=layers[:1050]))
    assert [one.category for one in found.differences] == ["depth"]
    assert found.share == pytest.approx(2 * 1050 / 2150)


@pytest.mark.parametrize(
    ("fixture", "code", "severity", "kind"),
    [
        ("activation_swap/bad", "RC301", "minor", "omission"),
        ("activation_swap/bad_inline", "RC301", "minor", "omission"),
        ("activation_swap/bad_declared", "RC301", "minor", "asymmetry"),
        ("activation_swap/bad_otherwise", "RC301", "major", "mismatch"),
        ("activation_swap/good_native_prelu", "RC301", "note", "asymmetry"),
        ("free_attention/bad", "RC302", "minor", "omission"),
        ("free_attention/bad_unnamed", "RC302", "major", "mismatch"),
        ("learnable_resampling/bad", "RC303", "minor", "omission"),
        ("learnable_resampling/bad_same_words", "RC303", "minor", "omission"),
        ("learnable_resampling/bad_learnt_exponent", "RC303", "minor", "omission"),
        ("extra_skips/bad", "RC304", "minor", "omission"),
        ("extra_skips/bad_kept_and_added", "RC304", "minor", "mismatch"),
        ("norm_shuffle/bad", "RC305", "minor", "omission"),
        ("norm_shuffle/bad_declared", "RC305", "minor", "asymmetry"),
        ("norm_shuffle/bad_test_batch", "RC305", "major", "omission"),
        ("norm_shuffle/good_both_test_batch", "RC305", "note", "asymmetry"),
    ],
)
def test_a_difference_weighs_what_its_page_says(
    fixture: str, code: str, severity: str, kind: str
) -> None:
    path = FIXTURES / f"{fixture}.yaml"
    judged = judge(Evidence(claims=load(path), runs=runs_beside(path)), [RULES[code]])
    [found] = [one for one in judged if one.state is State.FLAGGED]
    assert (str(found.severity), str(found.kind), found.level) == (severity, kind, Level.OBSERVED)
