"""What is made of a record: counts that are exact, and honest runs that look like nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from repcheck.analysis import observe
from repcheck.machine import stored
from repcheck.observation import Observation, Training
from tests.record_builder import (
    BATCH,
    EVAL,
    FIT,
    PREDICT,
    STORAGE,
    TRAIN,
    UNSURE,
    Process,
    batches,
    content,
)

TRAINED = content(0, 96)
TESTED = content(1000, 40)


@pytest.fixture
def run(tmp_path: Path) -> Process:
    made = Process(tmp_path)
    made.start()
    made.root()
    made.optimizer()
    made.loader(0, ds=0)
    made.loader(1, ds=1, batch_size=16, sampler="SequentialSampler")
    return made


def shuffled(seed: int, size: int = 96) -> list[int]:
    order = list(range(size))
    Random(seed).shuffle(order)
    return order


def play(run: Process, epochs: int = 3, tested: list[int] = TESTED, views: int = 1) -> None:
    """Train on 96 samples in batches of 32 and evaluate after each epoch."""
    for epoch in range(1, epochs + 1):
        run.train_epoch(0, epoch, batches(shuffled(epoch), 32), TRAINED)
        run.evaluate(epoch, 1, epoch, batches(range(len(tested)), 16), tested, views=views)


def done(run: Process, **more: object) -> Observation:
    """End the run and analyse it; what is made of it can be stored."""
    run.end()
    found = observe(run.folder)
    path = run.folder / "observed.json"
    path.write_bytes(stored.dumps(found))
    assert stored.observation(path) == found
    return found


def training(found: Observation) -> Training:
    assert found.training is not None
    return found.training


# --- training -----------------------------------------------------------------------------------


def test_a_plain_training_is_counted_exactly(run: Process) -> None:
    play(run)
    found = done(run)
    seen = training(found)
    assert (seen.steps, seen.samples, seen.drawn, seen.unique) == (9, 288, 288, 96)
    assert (seen.unique_by, seen.most_draws, seen.batch, seen.accumulation) == ("indices", 3, 32, 1)
    assert seen.samplers == ("RandomSampler",)
    assert seen.repeated_batches == 0.0
    assert seen.order_digest
    assert found.gaps == ()


def test_samples_drawn_three_times_an_epoch_are_seen_by_index(run: Process) -> None:
    thrice = [i for i in shuffled(1) for _ in range(3)]
    run.train_epoch(0, 1, batches(thrice, 32), TRAINED)
    seen = training(done(run))
    assert (seen.samples, seen.unique, seen.most_draws) == (288, 96, 3)


def test_a_batch_that_is_stepped_on_three_times_is_a_repeated_batch(run: Process) -> None:
    for number, batch in enumerate(batches(shuffled(1), 32)):
        run.indices(0, 1, batch)
        for again in range(3):
            run.rows(TRAIN, [TRAINED[i] for i in batch], step=run.step + 1)
            run.add_step(batches=int(not again))
        assert number < 3
    run.event("loader_end", i=0, it=1, batches=3, drawn=96, done=True, begin=0)
    seen = training(done(run))
    assert (seen.samples, seen.drawn, seen.unique) == (288, 96, 96)
    assert seen.repeated_batches == pytest.approx(6 / 8)


def test_a_batch_that_holds_all_there_is_repeats_nothing(run: Process) -> None:
    for epoch in range(1, 11):
        run.train_epoch(0, epoch, [shuffled(epoch)], TRAINED)
    seen = training(done(run))
    assert (seen.steps, seen.samples, seen.unique) == (10, 960, 96)
    assert seen.repeated_batches == 0.0


def test_the_last_partial_batch_changes_neither_batch_nor_count(run: Process) -> None:
    for epoch in (1, 2):
        run.train_epoch(0, epoch, batches(shuffled(epoch), 28), TRAINED)
    seen = training(done(run))
    assert (seen.batch, seen.samples, seen.steps) == (28, 192, 8)


def test_dropped_last_samples_are_not_counted_as_drawn(run: Process) -> None:
    for epoch in (1, 2):
        run.train_epoch(0, epoch, batches(shuffled(epoch), 28)[:-1], TRAINED)
    seen = training(done(run))
    assert (seen.samples, seen.drawn) == (168, 168)
    assert seen.unique is not None
    assert 84 <= seen.unique <= 96


def test_accumulation_is_backward_passes_a_step(run: Process) -> None:
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED, bwd=2, fwd=2, rows=64, batches=2)
    seen = training(done(run))
    assert (seen.accumulation, seen.batch) == (2, 64)


def test_without_backward_accumulation_comes_from_loader_batches(run: Process) -> None:
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED, bwd=0, batches=4)
    assert training(done(run)).accumulation == 4


def test_a_tensor_forwarded_twice_in_a_step_counts_once(run: Process) -> None:
    play_sam = {"fwd": 2, "again": 1, "bwd": 2}
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED, **play_sam)
    assert training(done(run)).samples == 96


def test_an_optimizer_around_another_is_no_second_step(run: Process) -> None:
    run.optimizer(1)  # the same parameters
    for batch in batches(shuffled(1), 32):
        run.indices(0, 1, batch)
        run.add_step(opt=0, rows=32)
        run.add_step(opt=1, rows=0, fwd=0, bwd=0, batches=0)
    run.event("loader_end", i=0, it=1, batches=3, drawn=96, done=True, begin=0)
    seen = training(done(run))
    assert (seen.steps, seen.samples, seen.batch) == (3, 96, 32)
    assert seen.others == ()


def test_two_optimizers_side_by_side_share_their_rows(run: Process) -> None:
    run.optimizer(1, n=50, params=[[4, 5]])
    for _ in range(4):
        run.add_step(opt=1, rows=32)
        run.add_step(opt=0, rows=0, fwd=0, bwd=0, batches=0)
    seen = training(done(run))
    assert (seen.steps, seen.samples, seen.batch) == (4, 128, 32)
    assert [other.elements for other in seen.others] == [50]


def test_stages_of_one_model_are_added_up(run: Process) -> None:
    run.add_step(opt=0)
    run.optimizer(1)
    run.add_step(opt=1)
    run.add_step(opt=1)
    seen = training(done(run))
    assert (seen.steps, seen.samples, seen.others) == (3, 96, ())


def test_another_models_stage_is_no_part_of_the_main_training(run: Process) -> None:
    run.optimizer(1, n=10, params=[[9, 9]])
    for _ in range(5):
        run.add_step(opt=1)
    for _ in range(3):
        run.add_step(opt=0)
    seen = training(done(run))
    assert (seen.steps, seen.samples) == (3, 96)
    assert [(other.steps, other.elements) for other in seen.others] == [(5, 10)]


def test_ranks_are_added_up_once(tmp_path: Path) -> None:
    for rank in (0, 1):
        one = Process(tmp_path, pid=50 + rank)
        one.start(env={"RANK": str(rank), "WORLD_SIZE": "2"})
        one.root()
        one.optimizer()
        one.loader(0, ds=0, sampler="DistributedSampler")
        one.loader(1, ds=1)
        one.train_epoch(0, 1, batches(shuffled(1)[rank::2], 16), TRAINED)
        one.evaluate(1, 1, 1, batches(range(40), 16), TESTED)
        one.end()
    found = observe(tmp_path)
    seen = training(found)
    assert (seen.steps, seen.samples, seen.drawn, seen.unique) == (3, 96, 96, 96)
    assert (seen.batch, seen.world, seen.most_draws) == (32, 2, 1)
    [test] = found.sets
    [one] = found.evaluations
    assert (test.examples, test.rows, one.views) == (40, 80, 1.0)
    assert found.gaps == ()


def test_a_rank_without_a_record_is_a_gap(tmp_path: Path) -> None:
    one = Process(tmp_path)
    one.start()
    one.event("dist", rank=0, world=4, backend="gloo")
    one.optimizer()
    one.add_step()
    gap = done(one).gap("process")
    assert gap is not None
    assert "1 of 4 ranks" in gap.why


def test_steps_that_were_taken_back_at_once_do_not_count(run: Process) -> None:
    run.event("save", how="torch.save", what=".lr_find.ckpt", keys=["state_dict"])
    run.train_epoch(0, 1, batches(shuffled(0), 32), TRAINED, lr=5.0)
    run.event("load", how="torch.load", what=".lr_find.ckpt", keys=["state_dict"])
    run.event("load_state", cls="Net", root=0, tensors=4, missing=0, unexpected=0, changed=1.0)
    for epoch in (2, 3):
        run.train_epoch(0, epoch, batches(shuffled(epoch), 32), TRAINED)
    seen = training(done(run))
    assert (seen.steps, seen.samples, seen.optimizer.peak_lr) == (6, 192, 0.1)


def test_folds_that_are_put_back_count_and_do_not_leak(run: Process) -> None:
    run.loader(2, ds=0)
    run.event("save", how="deepcopy", what="", keys=[])
    folds = [list(range(48)), list(range(48, 96))]
    for fold, held in enumerate(reversed(folds), start=1):
        run.train_epoch(0, fold, batches(folds[fold - 1], 16), TRAINED)
        run.evaluate(fold, 2, fold, batches(held, 16), TRAINED)
        run.event("load_state", cls="Net", root=0, tensors=4, missing=0, unexpected=0, changed=1.0)
    run.add_step()
    found = done(run)
    assert training(found).steps == 7
    assert [one.trained for one in found.sets] == [0, 0]


def test_folds_of_models_of_their_own_do_not_leak(run: Process) -> None:
    run.root(1)
    run.optimizer(1, params=[[4, 7]])
    folds = [list(range(48)), list(range(48, 96))]
    for fold, held in enumerate(reversed(folds), start=1):
        run.loader(2 * fold, ds=0)
        run.loader(2 * fold + 1, ds=0)
        chosen = batches(folds[fold - 1], 16)
        run.train_epoch(2 * fold, 1, chosen, TRAINED, root=fold - 1, opt=fold - 1)
        run.evaluate(fold, 2 * fold + 1, 1, batches(held, 16), TRAINED, root=fold - 1)
    found = done(run)
    main = training(found)
    assert (main.steps, main.samples, main.drawn, main.unique) == (3, 48, 48, 48)
    assert [other.steps for other in main.others] == [3]
    assert [(one.examples, one.trained_index, one.trained) for one in found.sets] == [
        (48, 0, 0), (48, 0, 0),
    ]  # fmt: skip


def test_steps_without_a_forward_leave_samples_unknown(run: Process) -> None:
    for _ in range(20):
        run.add_step(rows=0, fwd=0, bwd=0, batches=0)
    found = done(run)
    seen = training(found)
    assert (seen.steps, seen.samples, seen.batch, seen.accumulation) == (20, None, None, None)
    gap = found.gap("rows")
    assert gap is not None
    assert "20 of 20" in gap.why


def test_rows_that_may_not_have_been_trained_through_prove_nothing(run: Process) -> None:
    run.rows(UNSURE, TESTED)
    run.add_step(rows_unsure=40)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED)
    found = done(run)
    assert training(found).unsure == 40
    assert found.sets[0].trained in {None, 0}


def test_content_counts_samples_where_no_loader_does(run: Process) -> None:
    for epoch in range(3):
        for batch in batches(shuffled(epoch), 32):
            run.rows(TRAIN, [TRAINED[i] for i in batch])
            run.add_step(batches=0)
    seen = training(done(run))
    assert (seen.samples, seen.drawn, seen.unique, seen.unique_by) == (288, None, 96, "content")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_augmented_rows_are_not_counted_as_samples(run: Process, share: float) -> None:
    random = Random(4)
    for epoch in range(4):
        for batch in batches(shuffled(epoch), 32):
            fed = [TRAINED[i] + 7 * epoch * (random.random() < share) for i in batch]
            run.rows(TRAIN, [h % 2**64 for h in fed])
            run.add_step(batches=0)
    assert training(done(run)).unique is None


def test_a_loader_that_is_only_looked_through_trains_nothing(run: Process) -> None:
    run.indices(0, 1, range(96))
    run.event("loader_end", i=0, it=1, batches=3, drawn=96, done=True, begin=0)  # the mean, say
    run.train_epoch(0, 2, batches(shuffled(1), 32), TRAINED)
    seen = training(done(run))
    assert (seen.drawn, seen.unique, seen.most_draws) == (96, 96, 1)


def test_evaluating_the_training_loader_draws_nothing_for_training(run: Process) -> None:
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED)
    run.evaluate(1, 0, 2, batches(shuffled(2), 32), TRAINED)
    found = done(run)
    assert (training(found).drawn, training(found).most_draws) == (96, 1)
    assert (found.sets[0].examples, found.sets[0].trained_index) == (96, 96)


# --- rates and losses ---------------------------------------------------------------------------


def test_a_learning_rate_keeps_its_corners(run: Process) -> None:
    for step in range(1000):
        run.add_step(lr=0.1 if step < 300 else 0.01 if step < 777 else 0.0001)
    lr = training(done(run)).optimizer
    assert (lr.first_lr, lr.peak_lr, lr.last_lr, lr.distinct_lrs) == (0.1, 0.1, 0.0001, 3)
    assert lr.low_lr_share == pytest.approx(0.223)
    assert lr.lr.step == (1, 300, 301, 777, 778, 1000)
    assert lr.lr.samples == tuple(32 * step for step in lr.lr.step)


def test_a_noisy_curve_has_at_most_400_points_and_keeps_its_peak(run: Process) -> None:
    random = Random(1)
    for step in range(3000):
        run.add_step(loss=random.random() if step != 1234 else 50.0)
    loss = training(done(run)).loss
    assert len(loss.step) == 400
    assert 1235 in loss.step
    assert (loss.step[0], loss.step[-1]) == (1, 3000)


def test_the_loss_tells_its_trend_its_start_and_what_is_not_finite(run: Process) -> None:
    run.event("first", loss=2.3026, chain=["NllLossBackward0"], out=[32, 10], rows=32, at=0)
    for step in range(100):
        run.add_step(loss=2.0 if step < 50 else 0.5, flags=2 * (step == 70))
    seen = training(done(run))
    assert (seen.first_loss, seen.first_loss_chain) == (2.3026, ("NllLossBackward0",))
    assert seen.first_output == (32, 10)
    assert (seen.loss_trend, seen.loss_not_finite) == (0.25, 1)


def test_two_equal_runs_have_equal_digests_and_another_seed_has_others(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        one = Process(tmp_path / name)
        one.start()
        one.optimizer()
        one.loader(0, ds=0)
        one.train_epoch(0, 1, batches(shuffled(seed), 32), TRAINED, loss=float(seed))
        one.end()
        found.append(training(observe(tmp_path / name)))
    a, b, c = found
    assert (a.order_digest, a.loss_digest) == (b.order_digest, b.loss_digest)
    assert a.order_digest != c.order_digest
    assert a.loss_digest != c.loss_digest
    assert a.optimizer.lr_digest == c.optimizer.lr_digest


def test_an_order_of_which_a_batch_was_not_hashed_has_no_name(run: Process) -> None:
    run.add_step()
    run.rows(TRAIN, TRAINED[:32], step=2)
    run.add_step()
    assert training(done(run)).order_digest == ""


def test_settings_of_the_largest_group_are_told_and_what_changed_later(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.start()
    groups = [
        {"n": 10, "tensors": 2, "lr": 0.5, "weight_decay": 0.0, "betas": [0.9, 0.99]},
        {"n": 90, "tensors": 2, "lr": 0.1, "weight_decay": 0.05, "betas": [0.9, 0.95]},
    ]
    run.event("optimizer", i=0, cls="AdamW", groups=groups, ngroups=2, params=[[0, 3]])
    run.add_step(lr=0.5, lr_last=0.1)
    run.add_step(lr=0.5, lr_last=0.1)
    run.event("groups", i=0, groups=[groups[0], {**groups[1], "weight_decay": 0.1}])
    seen = training(done(run)).optimizer
    assert seen.fields == {"weight_decay": 0.05, "betas": (0.9, 0.95)}
    assert seen.changed == ("weight_decay",)
    assert (seen.peak_lr, seen.no_decay_share, seen.elements) == (0.1, 0.1, 100)


# --- evaluations --------------------------------------------------------------------------------


def test_one_set_over_all_passes_with_no_overlap(run: Process) -> None:
    run.store(0, TRAINED)
    run.store(1, TESTED)
    play(run)
    found = done(run)
    [test] = found.sets
    assert (test.examples, test.by, test.passes, test.rows) == (40, "indices", 3, 120)
    assert (test.trained_index, test.trained_storage, test.trained_input) == (None, 0, 0)
    assert [(one.at, one.final, one.views) for one in found.evaluations] == [
        (3, False, 1.0), (6, False, 1.0), (9, True, 1.0),
    ]  # fmt: skip


def test_leaked_rows_are_counted_exactly_by_storage_and_input(run: Process) -> None:
    tested = TESTED[:27] + TRAINED[:13]
    run.store(0, TRAINED)
    run.store(1, tested)
    play(run, tested=tested)
    [test] = done(run).sets
    assert (test.trained_storage, test.trained_input, test.trained) == (13, 13, 13)


def test_noise_after_the_loader_hides_a_leak_from_the_input_alone(run: Process) -> None:
    tested = TESTED[:27] + TRAINED[:13]
    run.store(0, TRAINED)
    run.store(1, tested)
    for epoch in range(3):
        run.indices(0, epoch + 1, range(96))
        for batch in batches(range(96), 32):
            run.rows(TRAIN, [TRAINED[i] ^ (epoch + 1) for i in batch])
            run.add_step()
        run.event("loader_end", i=0, it=epoch + 1, batches=3, drawn=96, done=True)
    run.evaluate(1, 1, 1, batches(range(40), 16), tested)
    [test] = done(run).sets
    assert (test.trained_storage, test.trained_input) == (13, None)


def test_a_batch_as_the_loader_gave_it_betrays_a_leak(run: Process) -> None:
    tested = TESTED[:27] + TRAINED[:13]
    for epoch in range(2):
        for batch in batches(range(96), 32):
            run.rows(BATCH, [TRAINED[i] for i in batch], id=0)
            run.rows(TRAIN, [TRAINED[i] ^ (epoch + 1) for i in batch])
            run.add_step()
    run.evaluate(1, 1, 1, batches(range(40), 16), tested)
    assert done(run).sets[0].trained_input == 13


def test_the_same_dataset_split_by_index_overlaps_by_index_only(run: Process) -> None:
    run.loader(2, ds=0)
    run.train_epoch(0, 1, batches(range(60), 20), TRAINED)
    run.evaluate(1, 2, 1, batches(range(50, 96), 16), TRAINED)
    [test] = done(run).sets
    assert (test.examples, test.trained_index) == (46, 10)


def test_constant_rows_never_count_as_trained(run: Process) -> None:
    blank = [0] * 96
    run.store(0, blank)
    run.store(1, blank[:40])
    run.train_epoch(0, 1, batches(range(96), 32), blank)
    run.train_epoch(0, 2, batches(range(96), 32), blank)
    run.evaluate(1, 1, 1, batches(range(40), 16), blank)
    [test] = done(run).sets
    assert test.trained in {0, None}


def test_what_is_trained_on_after_its_last_evaluation_is_no_leak(run: Process) -> None:
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED)
    run.loader(2, ds=2)  # the final training on both sets together
    run.train_epoch(2, 1, batches(range(40), 20), TESTED)
    run.evaluate(2, 1, 2, batches(range(30), 16), content(2000, 30))
    found = done(run)
    assert [one.trained_input for one in found.sets] in ([None, None], [0, 0])


def test_a_precision_that_only_evaluations_enter_is_none_of_the_training(run: Process) -> None:
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED)
    run.event("autocast", dtype="bfloat16", device="cpu")
    run.evaluate(1, 1, 1, batches(range(len(TESTED)), 16), TESTED)
    run.train_epoch(0, 2, batches(shuffled(2), 32), TRAINED)
    assert training(done(run)).amp == ()


def test_a_precision_that_later_steps_enter_is_one_of_the_training(run: Process) -> None:
    run.train_epoch(0, 1, batches(shuffled(1), 32), TRAINED)
    run.event("autocast", dtype="bfloat16", device="cpu")
    run.train_epoch(0, 2, batches(shuffled(2), 32), TRAINED, flags=1)
    run.evaluate(1, 1, 1, batches(range(len(TESTED)), 16), TESTED)
    assert training(done(run)).amp == ("bfloat16",)


def test_natural_duplicates_are_counted_beside_the_overlap(run: Process) -> None:
    doubled = TRAINED[:72] + TRAINED[:24]
    run.store(0, doubled)
    run.store(1, TESTED[:38] + doubled[:2])
    run.train_epoch(0, 1, batches(range(96), 32), doubled)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED[:38] + doubled[:2])
    [test] = done(run).sets
    assert (test.trained_storage, test.duplicates_in_training) == (2, 48)


def test_a_training_set_that_is_there_twice_excuses_no_overlap(run: Process) -> None:
    doubled = TRAINED[:48] * 2
    run.store(0, doubled)
    run.store(1, TESTED[:38] + doubled[:2])
    run.train_epoch(0, 1, batches(range(96), 32), doubled)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED[:38] + doubled[:2])
    [test] = done(run).sets
    assert (test.trained_storage, test.duplicates_in_training) == (2, 0)


def test_views_are_rows_over_examples(run: Process) -> None:
    play(run, epochs=1, views=3)
    [one] = done(run).evaluations
    assert (one.views, one.models, one.rows) == (3.0, 1, 120)


def test_a_head_and_a_loss_are_no_views(run: Process) -> None:
    run.root(1, cls="__main__.Head", params=10)
    run.root(2, cls="torch.nn.CrossEntropyLoss", params=0)
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    for id in (1, 2):
        run.rows(EVAL, content(9000 * id, 40), id=id, pass_=1)
    run.evaluate(
        1, 1, 1, batches(range(40), 16), TESTED, rows=120, fwd=9, roots={"0": 3, "1": 3, "2": 3}
    )
    [one] = done(run).evaluations
    assert (one.views, one.models, one.params) == (1.0, 1, 1000)


def test_a_loss_that_is_called_in_every_step_is_no_evaluation(run: Process) -> None:
    run.root(7, cls="torch.nn.CrossEntropyLoss", params=0, in_opt=0.0)
    for epoch in (1, 2):
        for number, batch in enumerate(batches(shuffled(epoch), 32)):
            run.indices(0, epoch, batch)
            run.rows(TRAIN, [TRAINED[i] for i in batch], step=run.step + 1)
            run.event(
                "eval", n=3 * epoch + number, at=run.step, rows=32, fwd=1, roots={"7": 1},
                batches=1, drawn=32, loaders={"0": 1}, train_mode=True, grad=True, held=None,
                swapped=None, weights="", wall=0.0,
            )  # fmt: skip
            run.add_step()
        run.event("loader_end", i=0, it=epoch, batches=3, drawn=96, done=True)
    found = done(run)
    assert (training(found).drawn, training(found).unique) == (192, 96)
    assert found.evaluations == ()


def test_members_of_an_ensemble_are_models_and_views(run: Process) -> None:
    run.root(1, params=900)
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    for batch in batches(TESTED, 16):
        run.rows(EVAL, batch, id=1, pass_=1, flags=1)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED, rows=80, fwd=6, roots={"0": 3, "1": 3})
    [one] = done(run).evaluations
    assert (one.views, one.models) == (2.0, 2)


@pytest.mark.parametrize(
    ("second", "views", "models"),
    [
        ({"fed": TESTED}, False, False),
        ({"fed": content(7000, 40)}, True, False),
        ({"fed": TESTED[:20]}, True, False),  # half of it was not hashed
        ({"fed": TESTED, "root": 1}, False, True),
        ({"fed": TESTED, "weights": "loaded"}, False, True),
    ],
)
def test_what_met_the_examples_in_a_pass_of_its_own_is_told(
    run: Process, second: dict[str, Any], views: bool, models: bool
) -> None:
    run.root(1)
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    for n, told in enumerate([{"fed": TESTED}, second], start=1):
        root = told.get("root", 0)
        run.indices(1, n, range(40))
        run.rows(BATCH, TESTED, id=1, pass_=n)
        run.rows(EVAL, told["fed"], id=root, pass_=n)
        run.event("loader_end", i=1, it=n, batches=3, drawn=40, done=True, begin=run.step)
        run.event(
            "eval", n=n, at=run.step, rows=40, fwd=3, roots={str(root): 3}, batches=3, drawn=40,
            loaders={"1": 3}, train_mode=False, grad=False, held=True, swapped=False,
            weights=told.get("weights", "w"), wall=0.0,
        )  # fmt: skip
    first, last = done(run).evaluations
    assert (first.set, first.views, last.views) == (last.set, 1.0, 1.0)
    assert (last.other_views, last.other_models) == (views, models)


def test_a_sanity_pass_is_no_result(run: Process) -> None:
    run.evaluate(1, 1, 1, batches(range(32), 16), TESTED)
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    run.evaluate(2, 1, 2, batches(range(40), 16), TESTED)
    first, second = done(run).evaluations
    assert (first.sanity, first.final, second.sanity, second.final) == (True, False, False, True)
    assert first.set != second.set


def test_only_the_pass_before_a_save_is_one_that_was_saved(run: Process) -> None:
    for epoch in (1, 2, 3):
        run.train_epoch(0, epoch, batches(shuffled(epoch), 32), TRAINED)
        run.t += 0.1
        if epoch == 2:  # the pass is only written down when it is known to be over
            run.event("save", how="torch.save", what="best.pt", keys=[])
        run.t += 0.1
        run.evaluate(epoch, 1, epoch, batches(range(40), 16), TESTED, wall=0.15)
    found = done(run)
    assert [one.saved for one in found.evaluations] == [False, True, False]
    assert found.saves == 1


def test_passes_without_loaders_are_told_apart_by_content(run: Process) -> None:
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    for n, hashes in ((1, TESTED), (2, content(7000, 40)), (3, TESTED)):
        run.rows(EVAL, hashes, pass_=n)
        run.event("eval", n=n, at=run.step, rows=40, fwd=1, roots={"0": 1}, batches=0, drawn=0,
                  loaders={}, train_mode=False, grad=False, held=True, swapped=False, weights="",
                  wall=0.0)  # fmt: skip
    first, second = done(run).sets
    assert (first.passes, first.examples, first.by, second.passes) == (2, 40, "content", 1)


def test_equal_rows_of_small_data_are_examples_of_their_own(run: Process) -> None:
    run.add_step()
    run.rows(EVAL, TESTED[:38] + TESTED[:2], pass_=1)
    run.event("eval", n=1, at=1, rows=40, fwd=1, roots={"0": 1}, loaders={}, drawn=0)
    assert done(run).sets[0].examples == 40


def test_a_process_that_only_evaluates_is_held_against_the_training_it_loaded(
    tmp_path: Path,
) -> None:
    tested = TESTED[:30] + TRAINED[:10]
    for number in (1, 2):
        one = Process(tmp_path, pid=10 + number)
        one.start(time=1000.0 * number)
        one.root()
        one.optimizer()
        one.loader(0, ds=0)
        rows = TRAINED if number == 1 else content(4000, 96)
        for epoch in (1, 2):
            one.train_epoch(0, epoch, batches(shuffled(1), 32), rows)
        one.event("save", how="torch.save", what=f"m{number}.pt", keys=["state"])
        one.end()
    last = Process(tmp_path, pid=20)
    last.start(time=5000.0)
    last.event("load", how="torch.load", what="/run/copy/m1.pt", keys=["state"])
    last.root(in_opt=0.0)
    last.loader(1, ds=0)
    last.evaluate(1, 1, 1, batches(range(40), 16), tested)
    last.end()
    found = observe(tmp_path)
    assert [one.trained_input for one in found.sets] == [10]
    assert [(load.own, load.what) for load in found.loads] == [(True, "/run/copy/m1.pt")]
    assert found.evaluations[0].final
    assert not found.evaluations[0].sanity


def test_estimators_are_held_against_what_they_were_last_fitted_on(tmp_path: Path) -> None:
    run = Process(tmp_path)
    run.start()

    def call(method: str, hashes: list[int], id: int = 1, cls: str = "sklearn.svm.SVC") -> None:
        run.event("fit", id=id, cls=cls, method=method, n=len(hashes))
        run.rows(FIT if "fit" in method else PREDICT, hashes, id=id)

    call("fit_transform", TRAINED + TESTED, id=7, cls="sklearn.StandardScaler")
    call("fit", TRAINED[:50])
    call("predict", TRAINED[50:])
    call("fit", TRAINED[50:] + TESTED[:5])
    call("score", TESTED)
    found = done(run)
    assert [(one.examples, one.trained) for one in found.sets] == [(46, 0), (40, 5)]
    assert {(fit.cls, fit.method, fit.calls) for fit in found.fits} >= {
        ("sklearn.svm.SVC", "fit", 2), ("sklearn.StandardScaler", "fit_transform", 1),
    }  # fmt: skip
    assert found.training is None


# --- weights ------------------------------------------------------------------------------------


def test_a_teacher_is_forwarded_in_every_step(run: Process) -> None:
    run.root(1, cls="__main__.Teacher", params=9000, in_opt=0.0)
    run.root(2, cls="__main__.Once", params=9000, in_opt=0.0)
    play(run)
    run.event("aux", root=1, rows=128, fwd=4, grad=False)
    run.event("aux", root=1, rows=288, fwd=9, grad=False)
    run.event("aux", root=2, rows=32, fwd=1, grad=False)
    [teacher] = done(run).teachers
    assert (teacher.cls, teacher.rows, teacher.forwards) == ("__main__.Teacher", 288, 9)
    assert not teacher.in_optimizer
    assert not teacher.same_class_as_trained


def test_an_average_that_fits_and_is_evaluated(run: Process) -> None:
    run.root(1, in_opt=0.0)
    run.event("avg", root=1, cls="Net", src=0, decay=0.98, r2=0.9999999, at=64)
    run.event("avg", root=5, cls="Net", src=0, decay=0.5, r2=0.7, at=64)
    run.event("avg", root=-3, cls="Net", src=0, decay=0.9800001, r2=1.0, at=8)  # the same, a copy
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED, root=1, held=False, weights="other")
    found = done(run)
    [average] = found.averages
    assert (average.decay, average.evaluated, average.how) == (0.98, True, "fitted")
    assert found.evaluations[0].held is False
    # The average's rows are those of what it follows.
    assert found.sets[0].trained in {0, None}


def test_loads_tell_foreign_weights_from_the_runs_own(run: Process) -> None:
    run.event("load", how="torch.load", what="init.pt", keys=["conv.weight"])
    run.event("load_state", cls="Net", root=0, tensors=4, missing=0, unexpected=0, changed=0.97)
    run.event("load", how="torch.load", what="old.ckpt", keys=["model", "optimizer", "epoch"])
    run.add_step()
    run.event("save", how="torch.save", what="/run/copy/best.pt", keys=[])
    run.event("load", how="torch.load", what="best.pt", keys=["conv.weight"])
    found = done(run).loads
    assert [one.trained for one in found] == [True, None, None]
    assert [(one.what, one.at, one.changed, one.own, one.resumes) for one in found] == [
        ("init.pt", 0, 0.97, False, False),
        ("old.ckpt", 0, None, False, True),
        ("best.pt", 1, None, True, False),
    ]


def test_the_first_and_last_values_have_names_and_an_evaluated_one_is_known(run: Process) -> None:
    run.event("weights", at=0, why="first", root=0, digest="aa")
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    run.evaluate(1, 1, 1, batches(range(40), 16), TESTED, weights="bb")
    run.evaluate(2, 1, 2, batches(range(40), 16), TESTED, held=False, weights="cc")
    run.event("weights", at=3, why="end", root=0, digest="bb")
    found = done(run)
    assert (found.initial_weights, found.final_weights) == ("aa", "bb")
    assert [one.known for one in found.evaluations] == [True, False]


# --- gaps and the rest --------------------------------------------------------------------------


def test_nothing_at_all_is_a_gap_of_everything(tmp_path: Path) -> None:
    found = observe(tmp_path / "none", cpu_s=12.0)
    assert not found.seen
    assert [gap.what for gap in found.gaps] == ["everything"]


def test_a_python_without_the_probe_is_a_gap_that_names_it(run: Process) -> None:
    play(run, epochs=1)
    run.event("proc", op="subprocess.Popen", argv=["nvidia-smi"], unseen="")
    run.event("proc", op="subprocess.Popen", argv=["python", "-I", "x.py"], unseen="-I")
    found = done(run)
    assert [gap.what for gap in found.gaps] == ["process"]
    assert "`python -I x.py`" in found.gaps[0].why
    assert found.subprocesses == ("nvidia-smi", "python -I x.py")


def test_a_killed_training_is_a_lower_bound_and_a_killed_worker_is_nothing(
    run: Process, tmp_path: Path
) -> None:
    worker = Process(tmp_path, pid=101)
    worker.start(parent=run.base)
    play(run, epochs=1)
    found = observe(tmp_path)
    assert training(found).steps == 3
    assert [gap.what for gap in found.gaps] == ["process"]
    run.end()
    assert observe(tmp_path).gaps == ()
    assert [one.ended for one in observe(tmp_path).processes] == [True, False]


@pytest.mark.parametrize(
    ("outside", "gap"), [(12.0, True), (9.5, True), (9.0, False), (0.0, False)]
)
def test_cpu_time_that_no_probe_saw(run: Process, outside: float, gap: bool) -> None:
    play(run, epochs=1)
    run.end(cpu=8.0)
    found = observe(run.folder, cpu_s=outside)
    assert (found.gap("process") is not None) is gap
    assert found.cpu_seen_s == 8.0


def test_little_cpu_time_is_never_a_gap(run: Process) -> None:
    run.end(cpu=0.1)
    assert observe(run.folder, cpu_s=1.0).gap("process") is None


@pytest.mark.parametrize(("outside", "gap"), [(14.0, False), (14.5, True)])
def test_every_torch_that_ends_takes_time_after_its_last_words(
    run: Process, tmp_path: Path, outside: float, gap: bool
) -> None:
    second = Process(tmp_path, pid=101)
    second.start()
    for process in (run, second):
        process.event("torch", version="2.13.0")
        process.end(cpu=5.0)
    assert (observe(tmp_path, cpu_s=outside).gap("process") is not None) is gap


@pytest.mark.parametrize(
    ("where", "what"),
    [("forwards.leave", "samples"), ("rows.flush", "rows"), ("put_step", "training"),
     ("weights.look", "weights"), ("loaders.delivered", "samples")],
)  # fmt: skip
def test_an_error_of_the_probes_own_is_a_gap_of_what_it_names(
    run: Process, where: str, what: str
) -> None:
    play(run, epochs=1)
    run.event("error", where=where, err="ValueError: x")
    found = done(run)
    assert found.gap(what) is not None
    assert found.gap("tampering") is None
    assert found.probe_errors == (f"{where}: ValueError: x",)
    if what == "samples":
        assert training(found).samples is None


def test_patches_that_are_gone_are_a_gap_of_tampering(run: Process) -> None:
    play(run, epochs=1)
    run.event("tamper", what=["torch.nn.Module.__call__"])
    gap = done(run).gap("tampering")
    assert gap is not None
    assert "torch.nn.Module.__call__" in gap.why


def test_opened_files_are_hashed_below_the_roots_alone(run: Process, tmp_path: Path) -> None:
    copy, out = tmp_path / "copy", tmp_path / "out"
    copy.mkdir()
    out.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("s")
    (copy / "data.csv").write_bytes(b"1,2\n")
    (copy / "link").symlink_to(secret)
    os.mkfifo(out / "pipe")
    (out / "best.pt").write_bytes(b"w")
    for path in ("data.csv", "link", "gone", "/etc/hostname", "../secret", str(out / "pipe")):
        run.event("open", p=path, w=False)
    run.event("open", p=str(out / "best.pt"), w=True)
    run.path("jsonl").write_text(run.path("jsonl").read_text().replace("/run/copy", str(copy)))
    run.end()
    found = observe(run.folder, files_root=copy, out=out)
    hashes = {use.path: use.sha256 for use in found.files}
    assert hashes == {
        "data.csv": hashlib.sha256(b"1,2\n").hexdigest(),
        "{out}/best.pt": hashlib.sha256(b"w").hexdigest(),
        "link": "", "gone": "", "/etc/hostname": "", str(secret): "", "{out}/pipe": "",
    }  # fmt: skip
    assert [use.path for use in found.files if use.written] == ["{out}/best.pt"]


def test_seeds_network_and_the_share_that_was_hashed(run: Process) -> None:
    for value in (7, 7, None):
        run.event("seed", lib="torch", v=value)
    run.event("net", op="connect", host="example.org", port=443)
    run.event("net", op="connect", host="example.org", port=443)
    run.add_step()
    run.end(hashed=300, skipped=100)
    found = observe(run.folder)
    assert [(one.lib, one.value, one.times) for one in found.seeds] == [
        ("torch", "7", 2), ("torch", "", 1),
    ]  # fmt: skip
    assert found.network == ("connect example.org:443",)
    assert found.hashed == 0.75


def test_a_set_tells_how_much_of_it_was_hashed(run: Process) -> None:
    run.train_epoch(0, 1, batches(range(96), 32), TRAINED)
    run.train_epoch(0, 2, batches(range(96), 32), TRAINED)
    run.rows(EVAL, TRAINED[:10], pass_=1)
    run.event("eval", n=1, at=run.step, rows=40, fwd=2, roots={"0": 2}, loaders={}, drawn=0)
    [test] = done(run).sets
    assert (test.share, test.trained_input, test.examples) == (0.25, 10, None)
    assert test.digest == ""


def test_storage_that_was_hashed_in_part_is_not_called_free_of_leaks(run: Process) -> None:
    run.rows(STORAGE, TRAINED[:10], id=0, step=0)
    run.event("storage", ds=0, cls="TensorDataset", rows=96, hashed=10, d=64, dup=0)
    run.store(1, TESTED)
    play(run)
    assert done(run).sets[0].trained_storage is None
