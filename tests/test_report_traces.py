"""What a probe saw, in the report: from observations to JSON, from JSON to drawings and tables."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.claims.load import parse
from repcheck.fact import Evidence
from repcheck.observation import (
    EvaluatedSet,
    Evaluation,
    Gap,
    Observation,
    OptimizerSeen,
    Points,
    SeedSet,
    Training,
    WeightLoad,
)
from repcheck.report_methods import MOST_TRACED, methods
from repcheck.report_runs import MOST_EVALUATIONS, runs
from repcheck.report_traces import MOST_POINTS, MOST_RUNS, corners, traces
from repcheck.reporter import named
from repcheck.reporters.parts.sight import sight
from repcheck.reporters.parts.tables import matrices
from repcheck.reporters.parts.traces import comparisons
from repcheck.runs import Run, SeedKind, Status
from tests.sample_report import curves, large, line, sample
from tests.test_report_html import Page, page

STEPS = 400


def points(of, *, samples: bool = True) -> Points:
    at = tuple(range(1, STEPS + 1))
    return Points(
        step=at,
        samples=tuple(32 * step for step in at) if samples else (),
        value=tuple(of(step / STEPS) for step in at),
    )


def rate(share: float) -> float:
    """Up to the peak at a tenth, constant to a half, then straight down to nothing."""
    if share < 0.1:
        return share
    return 0.1 if share <= 0.5 else 0.2 * (1 - share)


def training(**more: object) -> Training:
    rates = points(rate)
    made = Training(
        steps=STEPS,
        samples=32 * STEPS,
        unique=3200,
        unique_by="indices",
        optimizer=OptimizerSeen(
            cls="SGD", steps=STEPS, elements=10, groups=1, peak_lr=0.1, first_lr=rates.value[0],
            last_lr=0.0, lr=rates, low_lr_share=0.005,
        ),
        loss=points(lambda share: 2.5 * math.exp(-5 * share)),
    )  # fmt: skip
    return replace(made, **more)


def seen(**more: object) -> Observation:
    return replace(Observation(seen=True, training=training(), cpu_s=10.0, cpu_seen_s=9.5), **more)


def run(method: str = "ours", seed: int = 1, **more: object) -> Run:
    made = Run(
        key=f"{method}-{seed}", arm=method, method=method, dataset="digits", seed=seed,
        seed_kind=SeedKind.FRESH, status=Status.OK, metrics={"acc": 90.0}, observation=seen(),
    )  # fmt: skip
    return replace(made, **more)


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), max_size=60), st.integers(2, 40))
def test_a_thinned_curve_keeps_its_ends_and_its_order(values, most):
    kept = corners(list(enumerate(values)), most)
    assert len(kept) <= max(most, min(len(values), 2))
    assert kept == sorted(set(kept))
    if values:
        assert kept[0] == 0
        assert kept[-1] == len(values) - 1


def test_a_schedule_of_straight_parts_keeps_exactly_its_corners():
    curve = [(step, rate(step / STEPS)) for step in range(1, STEPS + 1)]
    kept = [curve[at][0] for at in corners(curve, MOST_POINTS)]
    assert {1, 40, 200, 400} <= set(kept)
    exact = [curve[at][0] for at in corners(curve, 4)]
    assert exact == [1, 40, 200, 400]


def test_uneven_steps_are_no_corners():
    curve = [(step, step / 100) for step in (1, 2, 3, 50, 51, 90, 200)]
    assert corners(curve, 100) == [0, 6]
    assert corners([*curve, (300, 3.5)], 100) == [0, 6, 7]


def test_at_most_three_runs_of_a_method_give_curves_of_few_points():
    made = [run(seed=seed) for seed in range(9)]
    found = traces("ours", tuple(made))
    assert [one["seed"] for one in found["lr"]] == [0, 1, 2]
    assert len(found["loss"]) == MOST_RUNS
    for one in (*found["lr"], *found["loss"]):
        assert len(one["step"]) == len(one["samples"]) == len(one["value"]) <= MOST_POINTS
    first = found["lr"][0]
    assert (first["peak"], first["last"], first["low_share"]) == (0.1, 0.0, 0.005)
    assert first["samples"][-1] == 32 * STEPS
    assert found["loss"][0]["first"] > 20 * found["loss"][0]["last"]


def test_each_dataset_gives_a_curve_before_one_gives_two():
    made = [run(seed=seed, dataset=name) for name in ("digits", "letters") for seed in range(3)]
    found = traces("ours", tuple(made))["lr"]
    assert [(one["dataset"], one["seed"]) for one in found] == [
        ("digits", 0), ("letters", 0), ("digits", 1),
    ]  # fmt: skip


def test_only_finished_runs_as_declared_that_were_seen_give_curves():
    made = (
        run(seed=1, status=Status.NONZERO),
        run(seed=2, arm_kind="aligned"),
        run(seed=3, observation=None),
        run(seed=4, observation=seen(training=None)),
        run("base", seed=5),
        run(seed=6),
    )
    assert [one["seed"] for one in traces("ours", made)["lr"]] == [6]
    assert traces("nobody", made) == {"lr": [], "loss": []}


def test_losses_that_are_not_finite_are_left_out_and_counted():
    broken = training(
        loss=points(lambda share: math.nan if share > 0.5 else 1.0), loss_not_finite=200
    )
    [found] = traces("ours", (run(observation=seen(training=broken)),))["loss"]
    assert found["step"][-1] == 200
    assert found["not_finite"] == 200
    json.dumps(found, allow_nan=False)


def test_samples_that_were_not_seen_are_absent_and_never_zero():
    blind = training(samples=None, unique=None, loss=points(lambda share: 1.0, samples=False))
    made = run(observation=seen(training=blind))
    [found] = runs((made,))
    assert found["budget"] == {
        "steps": STEPS, "samples": None, "epochs": None, "train_flops": None,
        "unseen_cpu_share": 0.05, "unseen_cpu_s": 0.5,
    }  # fmt: skip
    assert traces("ours", (made,))["loss"][0]["samples"] == []


def test_a_run_carries_what_was_counted_and_what_was_not_seen():
    passes = tuple(
        Evaluation(n=n, at=n, set=n % 2, rows=100, forwards=1, held=True, final=n >= 118)
        for n in range(1, 120)
    )
    observation = seen(
        gaps=(Gap(what="weights", why="the model lies on a device"),),
        evaluations=passes,
        sets=(EvaluatedSet(id=0, examples=100, by="indices"),),
        seeds=(SeedSet(lib="torch", value="7"),),
        loads=(WeightLoad(how="torch.load", what="start.pt", at=0, changed=1.0),),
        network=("connect huggingface.co:443",),
        hashed=0.25,
    )
    [found] = runs((run(observation=observation),))
    assert found["budget"]["epochs"] == 4.0
    told = found["observed"]
    assert told["gaps"] == [{"what": "weights", "why": "the model lies on a device"}]
    assert len(told["evaluations"]) == MOST_EVALUATIONS
    assert told["more_evaluations"] == 119 - MOST_EVALUATIONS
    assert [one["at"] for one in told["evaluations"] if one["final"]] == [118, 119]
    assert {one["examples"] for one in told["evaluations"]} == {100, None}
    assert told["loads"][0]["what"] == "start.pt"
    assert (told["hashed_share"], told["seeds"][0]["value"]) == (0.25, "7")
    json.dumps(found, allow_nan=False)


def test_a_run_without_a_probe_says_so():
    [found] = runs((run(observation=None),))
    assert found["observed"] is None
    assert found["budget"] == {}


def test_very_many_runs_stay_small():
    passes = tuple(Evaluation(n=n, at=n, set=0, rows=9, forwards=1) for n in range(1, 51))
    one = run(observation=seen(evaluations=passes))
    few = len(json.dumps(runs((one,) * 10))) / 10
    many = len(json.dumps(runs((one,) * 10_000))) / 10_000
    assert many < 1_500 < few


def claims_of(count: int):
    names = "".join(f"  m{i}: {{role: baseline}}\n" for i in range(count))
    return parse(
        f"repcheck: 1\nmethods:\n{names}metrics:\n  acc: {{higher_is_better: true}}\n"
        f"claims:\n  - {{id: C1, text: t, method: m{count - 1}, metric: acc, value: 90}}\n",
        "c.yaml",
    )


def test_of_very_many_methods_those_with_claims_keep_their_curves():
    claims = claims_of(MOST_TRACED + 10)
    made = tuple(run(name) for name in claims.methods)
    found = {one["id"]: one for one in methods(Evidence(claims=claims, runs=made))}
    kept = [name for name, one in found.items() if one["traces"]]
    assert len(kept) == MOST_TRACED
    assert list(found)[-1] in kept
    assert set(found["m0"]) >= {"observed", "budget", "declared"}


STATED = parse(
    """
repcheck: 1
methods:
  ours: {role: proposed, train: {iterations: 100, batch_size: 32}}
datasets: {digits: {train: {size: 3200}}}
metrics: {acc: {higher_is_better: true}}
claims: [{id: C1, text: t, method: ours, metric: acc, value: 90}]
""",
    "c.yaml",
)


def test_a_method_carries_what_was_seen_beside_what_it_declares():
    made = tuple(run(seed=seed) for seed in range(3))
    [found] = methods(Evidence(claims=STATED, runs=made))
    length = next(one for one in found["observed"] if one["key"] == "train.iterations")
    assert (length["declared"], length["state"], length["ratio"]) == ("100", "differs", 4.0)
    assert length["level"] == "observed"
    assert length["source"].startswith("run ours-")
    steps = found["budget"]["steps"]
    assert (steps["value"], steps["level"], steps["declared"]) == (STEPS, "observed", 100)


def test_without_a_probe_a_method_has_only_what_it_declares():
    for made in ((), (run(observation=None),)):
        [found] = methods(Evidence(claims=STATED, runs=made))
        assert not [one for one in found["observed"] if one["state"] != "unseen"]
        assert all(one["why"] for one in found["observed"])
        assert found["budget"]["steps"]["level"] == "declared"
        assert found["traces"] == {"lr": [], "loss": []}


def drawn(report) -> list:
    return comparisons(report)[0]


def test_methods_of_a_claim_stand_on_one_axis_of_samples():
    [shown] = drawn(sample())
    assert [name for _, name, _ in shown.methods] == ["cnn", "mlp"]
    assert shown.missing == ("logistic",)
    for panel in shown.panels:
        assert panel.across == "training samples seen"
        ends = {curve.nth: float(curve.points.split()[-1].split(",")[0]) for curve in panel.curves}
        assert ends[0] == pytest.approx(96, abs=0.1)
        assert (ends[1] - 4) / (ends[0] - 4) == pytest.approx(360 / 1200, abs=0.01)


def test_one_run_without_samples_puts_the_panel_on_steps_and_says_so():
    report = sample()
    for one in report["methods"][1]["traces"]["lr"]:
        one["samples"] = []
    rates, losses = drawn(report)[0].panels
    assert rates.across == "optimizer steps (samples were not seen)"
    assert losses.across == "training samples seen"
    assert "not seen" in drawn(report)[0].rows[-1].samples


def test_losses_that_span_much_are_drawn_in_powers_and_say_so():
    report = sample()
    assert "logarithmic scale" in drawn(report)[0].panels[1].note
    for method in report["methods"]:
        for one in method["traces"]["loss"]:
            one["value"] = [1 + value / 100 for value in one["value"]]
    assert "logarithmic" not in drawn(report)[0].panels[1].note
    report["methods"][0]["traces"]["loss"][0]["value"] = [-5.0] * 21
    assert "logarithmic" not in drawn(report)[0].panels[1].note


def test_rates_far_apart_are_drawn_as_shares_of_their_peaks_and_say_so():
    report = sample()
    assert drawn(report)[0].panels[0].note == ""
    for one in report["methods"][1]["traces"]["lr"]:
        one["value"] = [0.00001] * 21
    panel = drawn(report)[0].panels[0]
    assert "share of its own peak" in panel.note
    flat = next(curve for curve in panel.curves if curve.nth == 1)
    assert {point.split(",")[1] for point in flat.points.split()} == {"4"}


def test_rates_of_nothing_but_zero_can_be_drawn():
    report = sample()
    for method in report["methods"]:
        for one in method["traces"]["lr"]:
            one["value"] = [0.0] * 21
    assert len(drawn(report)[0].panels) == 2


def test_curves_of_another_dataset_are_not_compared():
    report = sample()
    for one in report["methods"][1]["traces"]["lr"] + report["methods"][1]["traces"]["loss"]:
        one["dataset"] = "letters"
    [shown] = drawn(report)
    assert shown.missing == ("mlp", "logistic")


def test_a_claim_inside_another_gets_no_drawing_of_its_own():
    report = sample()
    assert len(drawn(report)) == 1
    report["claims"][2]["dataset"] = "letters"
    for kind in ("lr", "loss"):
        report["methods"][1]["traces"][kind][0]["dataset"] = ""
    assert [one.title for one in drawn(report)] == [
        "cnn, mlp, logistic on mnist1d", "mlp on letters",
    ]  # fmt: skip


def test_methods_that_find_no_room_are_named_and_not_called_unseen():
    report = sample()
    first = report["methods"][0]
    names = [f"base{k}" for k in range(7)]
    report["methods"] += [{**first, "id": name} for name in names]
    report["claims"][0]["baselines"] = [*names, "nobody"]
    [shown] = [one for one in drawn(report) if one.title.startswith("cnn")]
    assert [name for _, name, _ in shown.methods] == ["cnn", *names[:5]]
    assert shown.undrawn == ("base5", "base6")
    assert shown.missing == ("nobody",)
    said = page(report).text
    assert "No room here for base5, base6." in said
    assert "No curve of nobody." in said


def test_losses_of_noisy_runs_become_one_line_that_begins_and_ends_with_the_training():
    report = sample()
    for one, away in zip(report["methods"][0]["traces"]["loss"], (-3.0, 3.0), strict=True):
        one["step"] = list(range(1, 121))
        one["samples"] = [100 * step for step in one["step"]]
        one["value"] = [10 + away * (-1) ** step for step in one["step"]]
    losses = drawn(report)[0].panels[1]
    [line_] = [curve.points.split() for curve in losses.curves if curve.nth == 0]
    assert len(line_) == 40
    middle = {float(point.split(",")[1]) for point in line_}
    assert max(middle) - min(middle) < 0.01


def test_many_comparisons_are_cut_and_counted():
    shown, more = comparisons(large(claims=30, runs=300))
    assert len(shown) == 6
    assert more == 10 - 6


def test_lines_are_told_apart_without_colour_and_stretch_without_growing_thick():
    html = page().html
    sheet = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert re.search(r"\.trace polyline[^{]*\{[^}]*vector-effect: non-scaling-stroke", sheet)
    dashes = re.findall(r"\.trace \.t[1-5][^{]*\{[^}]*stroke-dasharray: ([\d ]+)", sheet)
    assert len(set(dashes)) == 5
    assert html.count('<polyline class="t0"') == html.count('<polyline class="t1"') == 3
    assert html.count('preserveAspectRatio="none"') == 2


def test_drawings_have_their_numbers_in_a_table():
    numbers = page().html.split("The same in numbers")[1].split("</table>")[0]
    row = re.findall(r"<t[hd][^>]*>([^<]*)", numbers.split("<tbody>")[1])[:10]
    assert row[:4] == ["cnn", "42", "1,200", "120,000"]
    assert row[4:7] == ["0", "0.01", "0"]
    assert row[7].endswith(" %")


def test_what_was_seen_stands_beside_what_is_declared():
    html = page().html.replace("<wbr>", "")
    table = html.split('<table class="matrix beside"')[1].split("</table>")[0]
    rows = {
        re.sub("<[^>]*>", "", one.split("</th>")[0].split(">", 1)[1]): one
        for one in table.split('<th role="rowheader" scope="row"')[1:]
    }
    length = next(one for key, one in rows.items() if key.startswith("train.length"))
    assert "1,200 steps <i>differs</i>" in length
    assert "3.33 times the declared 360" in length
    assert "runs/cnn0711/probe" in length
    assert "not comparable" in length
    decay = next(one for key, one in rows.items() if "weight_decay" in key)
    assert decay.count('<span class="mu">undeclared</span>') == 2
    assert "0.05" in decay
    assert "train.ema" not in table


def test_lines_that_agree_are_folded_and_the_unseen_among_them_counted():
    shown = page()
    assert "3 lines on which they agree, 2 of them not observed" in shown.text
    folded = shown.html.split("2 of them not observed</summary>")[1].split("</details>")[0]
    assert "not seen: no evaluation was seen after the last step" in folded
    assert '<span class="mu">not observed</span>' in folded  # train.augmentation: nobody looks
    assert "differs</i>" not in folded


def test_a_line_about_a_part_stands_for_the_whole_that_says_the_same():
    report = sample()
    for method in report["methods"]:
        method["declared"].append({"key": "tta", "value": "none", "where": ""})
        method["declared"].append({"key": "ema", "value": "used", "where": "Sec. 2"})
        method["observed"] = [
            *method["observed"],
            line("tta.views", "none", "2 views", "differs"),
            line("ema.decay", "0.9", "0.9", "same"),
        ]
    found, _ = matrices(report["methods"])
    keys = [one.key for one in (*found[0].lines, *found[0].agreed)]
    assert "tta.views" in keys
    assert "tta" not in keys
    assert "ema" in keys


def test_a_declared_value_alone_is_never_shown_as_observed():
    report = sample()
    for method in report["methods"]:
        for one in method["observed"]:
            one |= {"state": "unseen", "observed": "", "why": "the runs were made without a probe"}
        for amount in method["budget"].values():
            amount |= {"level": "declared"}
    made, _ = matrices(report["methods"])
    assert not made[0].beside
    shown = page(report)
    assert "no rerun observed any of it" in shown.text
    assert "matrix beside" not in shown.html


def test_a_reason_of_many_lines_is_said_once():
    report = sample()
    why = "the training of `mlp` was not seen: it ran in another interpreter"
    report["methods"][1]["observed"] = [
        line(one["key"], one["declared"], "", "unseen", why)
        for one in report["methods"][1]["observed"]
    ]
    shown = page(report)
    assert shown.text.count("it ran in another interpreter") == 1
    assert "Not seen of mlp, 6 lines:" in shown.text


def test_gaps_are_grouped_and_counted():
    found = sight(sample()["runs"])
    assert (found.runs, found.seen, found.with_gaps) == (21, 15, 5)
    told = {(one.what, one.methods): one.runs for one in found.blind}
    assert told == {
        ("the whole run", "logistic"): 5,
        ("what entered the model", "gru"): 5,
        ("part of the work", "gru"): 5,
        ("the whole run", "cnn"): 1,
    }


def test_a_seen_run_with_most_of_its_work_out_of_sight_is_a_gap():
    runs_ = sample()["runs"]
    table = page().html.split("that ended well</summary>")[-1]
    gru = [row for row in table.split("<tr>") if '<th scope="row">gru</th>' in row]
    assert all("34 % of CPU time unseen" in row for row in gru)
    assert all("samples not seen" in row for row in gru)
    cnn = [row for row in table.split("<tr>") if '<th scope="row">cnn</th>' in row]
    assert all("1,200 steps, 120,000 samples" in row for row in cnn)
    assert not any("unseen" in row for row in cnn)
    assert len(gru) == len(cnn) == sum(one["method"] == "gru" for one in runs_)


def test_work_out_of_sight_is_listed_and_is_no_gap_that_the_analysis_named():
    report = sample()
    for one in report["runs"]:
        one["budget"]["unseen_cpu_share"] = 0.2
        if one["observed"]:
            one["observed"]["gaps"] = []
    found = sight(report["runs"])
    assert found.with_gaps == 0
    assert next(one.runs for one in found.blind if one.what == "part of the work") == 21


def test_a_seen_run_without_a_step_leaves_its_training_open():
    report = sample()
    for one in report["runs"]:
        if one["method"] == "mlp":
            one["budget"]["steps"] = None
    told = [(one.what, one.methods, one.runs) for one in sight(report["runs"]).blind]
    assert ("the training", "mlp", 5) in told


def test_nothing_observed_is_said_and_how_to_observe_it():
    report = sample()
    for one in report["runs"]:
        one |= {"observed": None, "budget": {}}
    for method in report["methods"]:
        method["traces"] = {}
    shown = page(report)
    after = shown.text.split("What the probe did not see")[1]
    assert "No run was observed" in after
    assert "--rerun all" in after
    assert "No training was seen" in shown.text
    assert "No gap is known" not in after
    assert "observed: 0 of 21 runs" in named("terminal").render(report)


def test_a_probe_that_saw_nothing_and_says_no_why_is_a_gap_all_the_same():
    report = sample()
    for one in report["runs"]:
        one["observed"] = {"seen": False}
    found = sight(report["runs"])
    assert found.seen == 0
    assert found.blind[0].runs == 21


def test_reports_of_before_the_probe_can_still_be_shown():
    report = sample()
    for one in report["runs"]:
        del one["observed"]
        one["budget"] = {}
    for method in report["methods"]:
        del method["observed"], method["traces"]
        for amount in method["budget"].values():
            amount.pop("declared", None)
    for name in ("html", "terminal", "markdown", "concise", "github", "json"):
        named(name).render(report)
    assert "No run was observed" in page(report).text


def test_hostile_words_of_an_artifact_stay_words():
    evil = '"><script>alert(1)</script>\u202e<i style="x">'
    report = sample()
    for one in report["methods"][0]["observed"]:
        one |= {"key": evil + one["key"], "observed": evil, "why": evil, "source": evil}
    report["runs"][0]["observed"]["gaps"] = [{"what": evil, "why": evil}]
    for kind in ("lr", "loss"):
        for one in report["methods"][0]["traces"][kind]:
            one |= {"seed": evil, "run": evil + str(one["seed"])}
    shown = page(report)
    assert "script" not in {tag for tag, _, _ in shown.tags}
    assert not [attrs for _, attrs, _ in shown.tags if "style" in attrs]
    assert "\u202e" not in shown.html
    assert "<script>alert(1)</script>⟨U+202E⟩" in shown.text


def test_section_names_cannot_be_taken_by_a_claim():
    report = sample()
    for claim, name in zip(report["claims"], ("training", "unseen", "budgets"), strict=False):
        claim["id"] = name
    shown = Page(named("html").render(report))
    assert len(shown.ids) == len(set(shown.ids))
    assert {"claim-training", "claim-unseen", "claim-budgets"} <= set(shown.ids)


def test_curves_of_the_sample_are_of_the_size_that_the_report_keeps():
    found = curves("cnn", 1200)
    assert all(len(one["value"]) <= MOST_POINTS for one in found["lr"] + found["loss"])
