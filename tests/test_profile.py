"""What a model costs, counted in the artifact's interpreter; every expected number by hand."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cli_support import at_terminal, repcheck, unseen

from repcheck.errors import RepcheckError, UsageError
from repcheck.machine import stored
from repcheck.profile import ProfileFailed, ProfileRequest, Shape, profile, read_shape
from repcheck.profile_page import table
from repcheck.profiled import Failing, Look, Profile, Remark, Rival

LAB = Path(__file__).parent / "lab" / "profile"
# conv 1->4 3x3 at 8x8, conv 4->8 3x3 at 4x4, linear 8->10
FIRST, SECOND, HEAD = 2 * 64 * 4 * 9, 2 * 16 * 8 * 4 * 9, 2 * 8 * 10
FORWARD = FIRST + SECOND + HEAD
WORDS = ("profile", "plain:better", "--input-shape", "1,1,8,8")
# The first layer needs no gradient of its input: one product back instead of two.
BACKWARD = FIRST + 2 * SECOND + 2 * HEAD


def request(entry: str, shape: Shape, **more: object) -> ProfileRequest:
    made = ProfileRequest(entry=entry, input_shape=shape, root=LAB, looks=frozenset())
    return replace(made, **more)  # type: ignore[arg-type]


def failed(entry: str, shape: Shape, **more: object) -> ProfileFailed:
    with pytest.raises(ProfileFailed) as caught:
        profile(request(entry, shape, **more))
    return caught.value


@pytest.fixture(scope="module")
def printed() -> str:
    """What the command prints as JSON."""
    done = repcheck(*WORDS, "--yes", "--format", "json", cwd=LAB)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def whole(printed: str, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The same, read back: everything that there is to know of the plain network."""
    file = tmp_path_factory.mktemp("whole") / "profile.json"
    file.write_text(printed)
    found = stored.typed(file, Profile)
    assert found is not None
    return found


# --- what is counted ----------------------------------------------------------------------------


def test_every_number_of_a_plain_network_is_the_one_worked_out_by_hand(whole: Profile) -> None:
    assert (whole.forward.flops, whole.macs) == (FORWARD, FORWARD / 2)
    assert whole.train is not None
    assert (whole.train.forward, whole.train.backward) == (FORWARD, BACKWARD)
    assert (whole.train.recompute, whole.train.optimizer) == (0, None)
    assert whole.train_ratio == (FORWARD + BACKWARD) / FORWARD
    weights = (4 * 9 + 4) + (8 * 4 * 9 + 8) + (8 + 8) + (8 * 10 + 10)
    assert whole.parameters.total == whole.parameters.trainable == weights
    assert whole.parameters.stored == weights
    assert (whole.parameters.buffers, whole.without_gradient) == (8 + 8 + 1, 0)
    assert (whole.forward.counted, whole.forward.matrix, whole.forward.coverage) == (3, 3, 1.0)
    assert whole.notes == ()
    assert (whole.place, whole.cls, whole.batch) == ("plain.py:24", "Net", 1)


def test_modules_strides_and_operations_are_listed(whole: Profile) -> None:
    own = {row.path: row.own for row in whole.modules}
    assert own == {"": 0, "first": FIRST, "second": SECOND, "norm": 0, "head": HEAD}
    rows = {row.path: row for row in whole.modules}
    assert rows[""].flops == FORWARD
    assert (rows["second"].shape, rows["second"].params) == ((1, 8, 4, 4), 8 * 4 * 9 + 8)
    assert all(row.share is not None and 0 < row.share <= 1 for row in whole.modules)
    assert [(stage.path, stage.size, stage.stride) for stage in whole.stages] == [
        ("first", (8, 8), 1.0),
        ("second", (4, 4), 2.0),
    ]
    assert whole.stride == 2.0
    names = [op.op for op in whole.ops]
    assert names == ["conv2d", "relu", "conv2d", "batch_norm", "relu", "mean", "linear"]


def test_two_more_counts_and_four_more_inputs_agree(whole: Profile) -> None:
    assert {other.how: other.flops for other in whole.second} == {"meta": FORWARD, "math": FORWARD}
    assert whole.disagreement is None
    assert whole.forward_range == (FORWARD, FORWARD)


def test_other_counters_stand_beside_it_each_in_its_own_unit(whole: Profile) -> None:
    beside = {rival.name: rival for rival in whole.rivals}
    assert (beside["torch"].says, beside["torch"].counts) == (FORWARD, "FLOPs")
    # fvcore calls multiply-accumulates "flops", and adds batch normalisation: here 2 a value.
    assert beside["fvcore"].counts == "MACs"
    assert beside["fvcore"].says == FORWARD / 2 + 2 * 8 * 16
    assert beside["fvcore"].flops == FORWARD + 4 * 8 * 16
    assert "aten::mean" in beside["fvcore"].ignored


def test_what_functions_compute_outside_of_modules_is_counted() -> None:
    found = profile(request("plain:Functional", (1, 1, 8, 8)))
    assert found.forward.flops == 2 * 64 * 4 * 9 + 2 * 4 * 4 * 16
    assert {row.path: row.own for row in found.modules} == {"": found.forward.flops}


def test_the_memory_kept_for_the_backward_pass_is_without_the_weights() -> None:
    found = profile(request("plain:sharing", (2, 6), optimizer="plain:muon"))
    # The second layer is frozen and needs no input of its own: only the model's input is kept.
    assert found.saved_bytes == 2 * 6 * 4
    parts = found.parameters
    assert (parts.total, parts.trainable, parts.stored) == (72, 36, 36)
    assert found.train is not None
    assert found.train.optimizer == 2 * (2 * 6 * 6 * 6)  # two products of 6x6 matrices
    assert found.train.flops == found.train.forward + found.train.backward


def test_integers_are_tried_where_numbers_are_refused_one_input_at_a_time() -> None:
    found = profile(request("plain:Several", ((2, 4), (2, 5))))
    assert [one.dtype for one in found.inputs] == ["float32", "int64"]
    assert [one.shape for one in found.outputs] == [(2, 3), (2, 5, 3)]
    named = profile(request("plain:Several", {"words": (2, 5), "x": (2, 4)}))
    assert [(one.name, one.dtype) for one in named.inputs] == [("words", "int64"), ("x", "float32")]
    assert named.forward.flops == found.forward.flops == 2 * (2 + 2 * 5) * 4 * 3


def test_a_network_without_matrix_operations_costs_nothing_and_it_is_said() -> None:
    found = profile(request("plain:Words", (2, 5)))
    assert (found.forward.flops, found.parameters.total, found.train_ratio) == (0, 400, None)
    assert found.note(Remark.ZERO_FLOPS) is not None
    assert "zero-flops" in table(found)


def test_a_batch_of_one_that_cannot_train_is_counted_with_two_and_halved() -> None:
    found = profile(request("plain:classifier", (1, 6)))
    assert found.train is not None
    assert (found.train.forward, found.train.backward, found.train.samples) == (60, 60, 2)
    assert found.note(Remark.TWO_SAMPLES) is not None


def test_attention_is_counted_though_torch_has_a_fused_path_for_it() -> None:
    found = profile(request("plain:attention", (2, 8, 16), looks={Look.SECOND}))
    tokens, width, wide = 2 * 8, 16, 32
    dense = 2 * tokens * (4 * width * width + 2 * width * wide)
    attention = 2 * 2 * 2 * 8 * 8 * width
    assert found.forward.flops == dense + attention
    assert {other.flops for other in found.second} == {dense + attention}


def test_a_cost_that_depends_on_the_input_is_given_as_two_numbers() -> None:
    found = profile(request("broken:Branching", (1, 4), looks={Look.INPUTS}))
    assert found.forward_range == (32, 64)
    note = found.note(Remark.DEPENDS_ON_INPUT)
    assert note is not None
    assert "from 32 FLOPs to 64 FLOPs" in note.text


def test_arguments_reach_the_function_and_a_model_in_a_tuple_is_taken() -> None:
    found = profile(request("plain:pair", (2, 1, 8, 8), kwargs={"width": 8}))
    assert found.forward.flops == 2 * (2 * 64 * 8 * 9 + 2 * 16 * 16 * 8 * 9 + 2 * 16 * 10)
    assert (found.batch, found.cls) == (2, "Net")
    assert found.note(Remark.UNWRAPPED) is not None
    assert (found.second, found.rivals, found.ops) == ((), (), ())  # nobody asked for them


# --- the form for deployment --------------------------------------------------------------------

TRAINED, MERGED = 2 * 2 * 64 * (36 + 4), 2 * 2 * 64 * 36


@pytest.mark.parametrize("deploy", ["", "merging:merged"])
def test_merged_branches_cost_less_and_give_the_same_outputs(deploy: str) -> None:
    found = profile(request("merging:branches", (1, 2, 8, 8), looks={Look.DEPLOY}, deploy=deploy))
    assert (found.forward.flops, found.parameters.total) == (TRAINED, 2 * (36 + 4 + 4))
    assert found.deploy is not None
    assert found.deploy.how == (deploy or "fuse()")
    assert found.deploy.parameters is not None
    assert (found.deploy.flops, found.deploy.parameters.total) == (MERGED, 2 * (36 + 2))
    assert found.deploy.difference is not None
    assert found.deploy.difference < 1e-5
    assert found.note(Remark.OTHER_OUTPUT) is None


def test_a_deploy_form_that_gives_other_outputs_is_told_apart() -> None:
    asked = request("merging:branches", (1, 2, 8, 8), looks={Look.DEPLOY}, kwargs={"wrong": True})
    found = profile(asked)
    assert found.deploy is not None
    assert found.deploy.difference is not None
    assert found.deploy.difference > 1e-2
    assert found.note(Remark.OTHER_OUTPUT) is not None


def test_a_deploy_form_that_is_built_anew_is_counted_and_never_said_to_be_equal() -> None:
    asked = request("merging:branches", (1, 2, 8, 8), looks={Look.DEPLOY}, deploy="merging:slim")
    found = profile(asked)
    assert found.deploy is not None
    assert (found.deploy.flops, found.deploy.difference) == (MERGED / 2, None)
    assert "outputs not compared" in table(found)


# --- what can go wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "shape", "kind", "place", "says"),
    [
        ("plian:better", (1, 1, 8, 8), Failing.NO_ENTRY, "", "did you mean `plain`?"),
        ("plain:better", (1, 3, 8, 8), Failing.INPUT, "plain.py:19", "--input-shape 1,1,8,8"),
        ("broken:gpu", (1, 4), Failing.NEEDS_GPU, "broken.py:21", "a machine that has one"),
        ("broken:no_model", (1, 4), Failing.NOT_A_MODEL, "broken.py:24", "returns a `dict`"),
        ("broken:silent", (1, 4), Failing.NO_TENSOR, "broken.py:41", "a `str`"),
    ],
)
def test_a_failure_says_what_it_is_and_where_and_how_to_mend_it(
    entry: str, shape: Shape, kind: Failing, place: str, says: str
) -> None:
    error = failed(entry, shape)
    assert (error.failure.kind, error.failure.place) == (kind, place)
    assert says in str(error)


def test_arguments_that_the_function_does_not_take_are_named() -> None:
    error = failed("plain:better", (1, 1, 8, 8), kwargs={"wdth": 2})
    assert error.failure.kind is Failing.ARGUMENTS
    assert "takes (width=4)" in str(error)


def test_a_model_that_takes_too_much_memory_is_ended_by_the_limit() -> None:
    error = failed("broken:greedy", (1, 4), memory_mb=1024)
    assert error.failure.kind is Failing.MEMORY
    assert error.exit_code == 5


def test_a_model_that_never_comes_is_ended_by_the_time_limit() -> None:
    error = failed("broken:hangs", (1, 4), time_limit_s=2)
    assert error.failure.kind is Failing.TIME_LIMIT
    assert "time limit of 2 s" in str(error)


def test_what_was_counted_before_a_training_that_ends_the_process_is_kept() -> None:
    found = profile(request("broken:fatal", (1, 4)))
    assert (found.forward.flops, found.train) == (32, None)
    assert found.stopped == "counting a training step ended the process by SIGKILL"
    assert found.note(Remark.INCOMPLETE) is not None


@pytest.mark.parametrize(
    "entry", ["models", "models.better", "a b:c", "mod:els:x", "code/models.py:better", ":x", "x:"]
)
def test_an_entry_of_another_form_is_refused_before_anything_runs(entry: str) -> None:
    with pytest.raises(UsageError):
        profile(request(entry, (1, 4)))


@pytest.mark.parametrize("shape", [(), (0, 4), (1, -4), (1,) * 9, (2**15, 2**15), ((1, 4), ())])
def test_a_shape_that_no_tensor_has_is_refused_before_anything_runs(shape: Shape) -> None:
    with pytest.raises(UsageError, match="input"):
        profile(request("plain:better", shape))


def test_shapes_are_read_from_text() -> None:
    assert read_shape("1,3,32,32") == read_shape("1x3x32x32") == (1, 3, 32, 32)
    assert read_shape("[1, 4]") == (1, 4)
    assert read_shape("[[1,4],[1,10]]") == ((1, 4), (1, 10))
    assert read_shape('{"max": [1,4]}') == {"max": (1, 4)}
    for text in ("", "1,a", "{}x", "["):
        with pytest.raises(RepcheckError):
            read_shape(text)


def test_the_artifact_is_never_changed_and_sees_no_variable_of_ours(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "import os, torch\n"
        "def made():\n"
        "    open('dropping', 'w').write('x')\n"
        "    assert 'SECRET_OF_A_PERSON' not in os.environ\n"
        "    return torch.nn.Linear(4, 4)\n"
    )
    os.environ["SECRET_OF_A_PERSON"] = "1"
    try:
        found = profile(request("odd:made", (1, 4), root=tmp_path))
    finally:
        del os.environ["SECRET_OF_A_PERSON"]
    assert found.forward.flops == 32
    assert [path.name for path in tmp_path.iterdir()] == ["odd.py"]


# --- on the command line ------------------------------------------------------------------------


def test_without_a_terminal_and_without_a_word_nothing_is_run() -> None:
    done = repcheck(*WORDS, cwd=LAB)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was run" in done.stderr


def test_at_a_terminal_it_asks_and_a_no_runs_nothing() -> None:
    code, screen = at_terminal(*WORDS, cwd=LAB, answers=["n\n"])
    assert code == 2
    assert "plain:better() is to be called" in screen
    assert "one call" not in unseen(screen)


def test_the_command_prints_one_json_object_with_its_unit(printed: str) -> None:
    found = json.loads(printed)
    assert found["unit"] == "FLOPs (2 x MAC)"
    assert (found["forward"]["flops"], found["derived"]["macs"]) == (FORWARD, FORWARD / 2)
    assert found["derived"]["train_flops"] == FORWARD + BACKWARD


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ("plain:bettr", "--input-shape", "1,1,8,8", "-y"),
            2,
            "plain.py: `plain` has no `bettr`; did you mean `better` (plain.py:24)?",
        ),
        (("broken:raises", "--input-shape", "1,4", "-y"), 5, "broken.py:12: broken:raises failed"),
        (("plain:better", "--input-shape", "1,1,8,8", "-y", "--kwargs", "{a: 1}"), 2, "no JSON"),
        (("plain.py:better", "--input-shape", "1,1,8,8", "-y"), 2, "not its file: plain:better"),
    ],
)
def test_a_failure_is_one_sentence_and_an_exit_code(
    words: tuple[str, ...], code: int, says: str
) -> None:
    done = repcheck("profile", *words, cwd=LAB)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_names_both_units_and_fits_its_terminal(whole: Profile, width: int) -> None:
    long = replace(
        whole,
        modules=tuple(
            replace(row, path=f"backbone.stages.3.blocks.11.residual_function.{row.path}")
            for row in whole.modules
        ),
        rivals=(
            *whole.rivals,
            Rival(name="fvcore", why="ModuleNotFoundError: No module named 'x'"),
        ),
    )
    text = table(long, width)
    assert max(map(len, text.splitlines())) <= width
    assert "MACs" in text
    assert "1 MAC = 2 FLOPs" in text
    assert "2.67 x forward" in text
    assert "second" in text  # a path loses its front, never its end


def test_what_an_artifact_names_itself_is_shown_without_its_control_characters(
    whole: Profile,
) -> None:
    text = table(replace(whole, cls="Net\x1b[2J\u202e", stopped="no\x07"), 80)
    assert "\x1b" not in text
    assert "\u202e" not in text
