"""What is seen of one forward pass, and that the pass is not changed by it."""

from __future__ import annotations

from op_support import network, told

from repcheck.observation import OpSeen


def found(name: str, op: str) -> list[OpSeen]:
    return [one for one in network(name).ops if one.op == op]


def test_a_traced_step_gives_the_same_bits_and_draws_the_same_numbers() -> None:
    assert told()["behaviour"]["same"] is True


def test_operations_stand_in_call_order_with_their_modules_and_what_they_took() -> None:
    ops = network("small").ops
    assert [(one.op, one.module, one.cls, one.inputs) for one in ops] == [
        ("conv2d", "c1", "Conv2d", (-1,)),
        ("relu", "", "Small", (0,)),
        ("avg_pool2d", "p1", "AvgPool2d", (1,)),
        ("conv2d", "c2", "Conv2d", (2,)),
        ("relu", "", "Small", (3,)),
        ("avg_pool2d", "p2", "AvgPool2d", (4,)),
        ("dropout", "drop", "Dropout", (5,)),
        ("linear", "fc", "Linear", (6,)),
    ]
    assert ops[0].shape == (8, 16, 16)
    assert (ops[0].parts["kernel"], ops[0].parts["from"]) == ((3, 3), (3, 16, 16))
    assert ops[0].params == 8 * 27 + 8


def test_every_parameter_is_counted_once_where_it_is_first_used() -> None:
    for name in ("everything", "small gate", "residual gem", "encoder", "cell", "lstm", "unet"):
        seen = network(name)
        assert sum(one.params for one in seen.ops) == seen.params, name
        assert not seen.cut


def test_operators_and_operations_in_place_have_plain_names() -> None:
    [join] = [one for one in network("unet").ops if one.op == "cat"]
    assert len(join.inputs) == 2
    residual = found("residual", "add")
    assert len(residual) == 3
    assert all(len(one.inputs) == 2 for one in residual)
    [product] = found("written silu", "mul")[:1]
    assert [network("written silu").ops[at].op for at in product.inputs] == ["conv2d", "sigmoid"]


def test_views_are_seen_through() -> None:
    [gate] = [one for one in network("small gate").ops if one.op == "mul"]
    scaled, sigmoid = (network("small gate").ops[at] for at in gate.inputs)
    assert (scaled.op, sigmoid.op, sigmoid.module) == ("relu", "sigmoid", "gate")
    assert sigmoid.shape == (8,)
    assert gate.parts["broadcast"] == 1 / 64


def test_constants_and_parameters_are_no_inputs() -> None:
    sums = found("everything", "add")
    assert [len(one.inputs) for one in sums] == [2, 1, 1, 1]
    assert [one.params for one in sums] == [0, 64, 64, 0]
    assert sums[3].parts == {"other": 1}


def test_a_factor_drawn_at_random_is_said_to_be() -> None:
    assert [one.parts.get("by") for one in found("everything", "mul")][-1] == "chance"


def test_a_scripted_module_and_a_function_of_the_artifacts_break_no_chain() -> None:
    ops = network("everything").ops
    [scripted] = [at for at, one in enumerate(ops) if one.parts.get("opaque")]
    assert (ops[scripted].module, ops[scripted].cls) == ("script", "Sequential")
    assert ops[scripted].params == 20
    doubled = [one for one in ops if one.inputs == (scripted,)]
    assert [(one.op, one.parts) for one in doubled] == [("mul", {"other": 2})]


def test_weights_that_are_made_of_parameters_say_how() -> None:
    made = {one.module: one.parts.get("weight") for one in found("everything", "linear")}
    assert made["w"] == "weight_norm"
    assert made["s"] == made["old"] == "spectral_norm"
    assert made["se.up"] is None


def test_attention_and_recurrent_layers_are_one_operation() -> None:
    [attention], [lstm] = found("everything", "attention"), found("everything", "lstm")
    assert (attention.module, attention.params) == ("mha", 80)
    assert (lstm.module, lstm.params) == ("lstm", 160)


def test_batch_norm_says_whether_it_keeps_running_statistics() -> None:
    assert {one.parts["running"] for one in found("small batch norm", "batch_norm")} == {True}
    assert {one.parts["running"] for one in found("small own statistics", "batch_norm")} == {False}


def test_an_error_of_the_artifacts_stays_its_own_and_everything_is_put_back() -> None:
    behaviour = told()["behaviour"]
    assert "cannot be multiplied" in behaviour["error"]
    assert behaviour["restored"] is True


def test_a_trace_is_bounded_and_says_that_it_was_cut() -> None:
    assert told()["behaviour"]["long"] == [4000, True]


def test_no_tensor_is_kept_alive() -> None:
    assert told()["behaviour"]["held"] is False


def test_the_innermost_module_is_known_while_it_runs_and_forgotten_after() -> None:
    assert told()["behaviour"]["paths"] == ["", "0", "1.0", "1.1", ""]


def test_other_threads_are_not_seen() -> None:
    assert told()["behaviour"]["threads"] == ["relu"]


def test_a_torch_without_function_modes_is_said_to_be_unseen() -> None:
    assert told()["behaviour"]["old torch"] == {"ops": [], "cut": True, "digest": ""}
