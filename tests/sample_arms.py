"""Arms of the sample report: one for each verdict, and those that decide nothing."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
CLAIMED, MARGIN = 26.0, 6.5
SCORES = {"method": 90.1, "baseline": 68.7}


def effect(verdict: str | None, setting: str, cause: str, **more: Any) -> Json:
    """What an arm showed of C1; without a verdict it decides nothing."""
    made = {
        "claim": "C1",
        "comparison": "cnn-vs-mlp@mnist1d",
        "setting": setting,
        "cause": cause,
        "contribution": False,
        "shown": False,
        "apart": "",
        "apart_words": "",
        "verdict": verdict,
        "reason": None,
        "words": f"{setting} the gain that remains is {more.get('remaining')}",
    }
    if verdict is None:
        return made | more
    middle = SCORES["method"] - more["remaining"]
    return made | {
        "hi90": more["interval"][1] - 0.4,
        "margin": MARGIN,
        "claimed": CLAIMED,
        "explained_at_least": max(0.0, 1 - more["interval"][1] / CLAIMED),
        "explained_at_most": min(1.0, max(0.0, 1 - more["interval"][0] / CLAIMED)),
        "seeds_needed": None,
        "test": "Welch t",
        "n": {"upper": 5, "lower": 5},
        "means": {
            "method": {"mean": SCORES["method"], "sd": 0.94, "n": 5},
            "baseline": {"mean": SCORES["baseline"], "sd": 1.02, "n": 5},
            "arm": {"mean": middle, "sd": 1.31, "n": 5},
        },
    } | more  # fmt: skip


def arm(id_: str, changes: str, *effects: Json, **more: Any) -> Json:
    """An arm of the MLP beside the CNN."""
    return {
        "id": id_,
        "kind": "counterfactual",
        "method": "mlp",
        "beside": "cnn",
        "factors": [changes.partition("=")[0]],
        "change": "add",
        "changes": changes,
        "how": "placeholder",
        "made_by": "authors",
        "decides": f"what of the gain remains beside `mlp` with `{changes}`",
        "runs": 5,
        "diff": [],
        "reach": None,
        "effects": list(effects),
        "reason": None,
        "would_decide": "",
    } | more


def lacking(id_: str, would_decide: str) -> Json:
    """An arm that was not run."""
    return {
        "id": id_,
        "kind": "counterfactual",
        "method": "mlp",
        "beside": "cnn",
        "factors": ["activation"],
        "change": "add",
        "runs": 0,
        "effects": [],
        "reason": "no-placeholder",
        "would_decide": would_decide,
    }


def sample_arms() -> list[Json]:
    """Return the declared arms, one arm a verdict, and one that could not be run."""
    declared = [
        {"id": m, "kind": "declared", "method": m, "effects": []} for m in ("cnn", "mlp", "gru")
    ]
    long = "an arm whose name is longer than any column of a phone: mlp at the samples of cnn"
    return [
        *declared,
        arm(
            "mlp at the samples of cnn", "iterations=1200",
            effect("gone", "at equal samples", "longer training",
                   remaining=0.9, interval=[-1.6, 3.4]),
            kind="aligned", change="align", made_by="repcheck",
            diff=[{"key": "steps", "before": "360", "after": "1,200", "allowed": True},
                  {"key": "samples", "before": "36,000", "after": "120,000", "allowed": True}],
            reach={"axis": "samples", "wanted": 120000.0, "reached": 120000.0, "ratio": 1.0},
        ),
        arm(
            "mlp+norm", "norm=batch",
            effect("reduced", "with `norm` in `mlp` too", "`norm`",
                   remaining=12.2, interval=[9.1, 15.3]),
        ),
        arm(
            "cnn-augmentation", "augmentation=none",
            effect("survives", "without `augmentation` in `cnn`", "`augmentation`",
                   remaining=19.8, interval=[17.2, 22.4]),
            method="cnn", beside="mlp", change="remove", how="cli",
        ),
        arm(
            long, "activation=silu",
            effect("inconclusive", "with `activation` in `mlp` too", "`activation`",
                   remaining=9.0, interval=[-3.0, 21.0], seeds_needed=14),
            made_by="repcheck", how="probe",
        ),
        arm(
            "mlp`<b>x</b>|", "seed=<i>{{ 7*7 }}</i>",
            effect(None, "with `seed` in `mlp` too", "`seed`", reason="invalid-arm",
                   words="an arm that changes `seed` and nothing else (steps: 360 → 400)"),
            diff=[{"key": "steps", "before": "360", "after": "400", "allowed": False}],
        ),
        arm(
            "cnn-convolution", "conv=none",
            effect("gone", "without `convolution` in `cnn`", "`convolution`",
                   remaining=0.2, interval=[-2.0, 2.4], contribution=True,
                   apart="contribution", apart_words="what the paper offers"),
            method="cnn", beside="mlp", change="remove",
        ),
        arm(
            "mlp, four times as long", "iterations=4800",
            effect("reduced", "with `train.iterations` in `mlp` too", "`train.iterations`",
                   remaining=8.0, interval=[5.0, 11.0],
                   apart="beyond", apart_words="trained longer than the method"),
        ),
        lacking("mlp+dropout", "put `{dropout}` into `methods.mlp.train.command`"),
    ]  # fmt: skip
