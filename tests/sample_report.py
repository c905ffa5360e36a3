"""A report written by hand that holds every state, and a large one for the benchmark."""

from __future__ import annotations

import copy
import math
from typing import Any

from repcheck.tricks import TRICKS
from tests.sample_arms import sample_arms

Json = dict[str, Any]
HERE = {"file": "claims.yaml", "line": 0, "column": 0, "path": ""}


def at(line: int, column: int, path: str) -> Json:
    return {"file": "claims.yaml", "line": line, "column": column, "path": path}


def quantity(name: str, value: Any, unit: str = "", level: str = "declared") -> Json:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "level": level,
        "source": "claims.yaml:8:16",
    }


def reproduction(verdict: str, **more: Any) -> Json:
    found = {
        "verdict": verdict,
        "detail": "",
        "axis": "gain",
        "baseline": "mlp",
        "claimed": None,
        "claimed_text": "",
        "observed": None,
        "interval": None,
        "level": 0.9,
        "test": "Welch t",
        "n": {"method": 5, "baseline": 5},
        "seeds_needed": None,
        "rule": "",
        "caveats": [],
        "reason": None,
    }
    return found | more


GAIN = reproduction(
    "not-reproduced",
    detail="real-but-smaller",
    claimed=26.0,
    claimed_text="26",
    observed=21.4,
    interval=[19.2, 23.6],
    rule="the gain over `mlp` is +21.4 [+19.2, +23.6] (90 %, Welch t, n = 5 + 5): above zero, but "
    "the whole interval lies below 26 − 1.0",
    caveats=["1 of 6 runs of `cnn` failed and counts as not reproduced in the crash share"],
)
SECOND = reproduction(
    "reproduced", baseline="logistic", claimed=62.0, claimed_text="62", observed=60.9,
    interval=[59.7, 62.1], rule="the gain over `logistic` is within 62 ± 2.0",
)  # fmt: skip
VALUE = reproduction(
    "reproduced", axis="value", baseline=None, claimed=68.0, claimed_text="68",
    observed=68.7, interval=[67.6, 69.8], n={"method": 5, "baseline": None},
    test="t interval", rule="68.7 [67.6, 69.8] lies within 68 ± 2.0",
)  # fmt: skip
OPEN = reproduction(
    "inconclusive", axis="value", baseline=None, claimed=91.0, claimed_text="91",
    observed=88.9, interval=[84.0, 93.8], n={"method": 3, "baseline": None}, seeds_needed=14,
    test="t interval", detail="underpowered",
    rule="88.9 [84.0, 93.8] neither lies within 91 ± 2.0 nor outside of it; 14 seeds would decide",
)  # fmt: skip
NOT_RUN = reproduction(
    "not-run", axis="value", baseline=None, claimed=96.0, claimed_text="96", level=None, test="",
    n={"method": 0, "baseline": None}, reason="no-command",
    rule="Not run: declare `methods.human.train.command`.",
)  # fmt: skip


def claim(id_: str, text: str, method: str, found: Json, **more: Any) -> Json:
    return {
        "id": id_,
        "text": text,
        "type": "improvement" if found["axis"] == "gain" else "value",
        "method": method,
        "baselines": [],
        "dataset": "mnist1d",
        "metric": "accuracy",
        "unit": "percent",
        "higher_is_better": True,
        "where": at(40, 5, f"claims.{id_}"),
        "paper_where": "Table 2",
        "reproduction": found,
        "parts": [found],
        "fairness": {
            "verdict": "insufficiently-checked",
            "by": [],
            "explained_at_least": None,
            "words": "7 of the checks that this type of claim requires are open",
            "required_undetermined": [
                {"rule": "RC101", "name": "batch-inflation"},
                {"rule": "RC201", "name": "lr-schedule-swap"},
            ],
        },
        "headline": f"{id_}: {found['rule']}",
        "rules": {"flagged": 0, "cleared": 1, "undetermined": 20, "not-applicable": 3},
    } | more


CLAIMS = [
    claim("C4", "People reach 96 %", "human", NOT_RUN, where=at(58, 5, "claims[3]")),
    claim("C2", "The MLP reaches 68 %", "mlp", VALUE, where=at(46, 5, "claims[1]")),
    claim("C3", "The GRU reaches 91 %", "gru", OPEN, where=at(52, 5, "claims[2]")),
]
HEADLINE_CLAIM = claim(
    "C1",
    "The CNN beats the MLP by 26 points",
    "cnn",
    GAIN,
    baselines=["mlp", "logistic"],
    parts=[GAIN, SECOND],
    fairness={
        "verdict": "asymmetric",
        "by": ["RC102"],
        "explained_at_least": None,
        "words": "hidden-epochs (RC102): cnn trains 36.0 epochs, mlp 10; effect unknown",
        "required_undetermined": [
            {"rule": "RC101", "name": "batch-inflation"},
            {"rule": "RC201", "name": "lr-schedule-swap"},
        ],
    },
    rules={"flagged": 2, "cleared": 0, "undetermined": 19, "not-applicable": 3},
)


def judgement(rule: str, name: str, state: str, **more: Any) -> Json:
    chapter, place = rule[2], int(rule[3:5])
    return {
        "rule": rule,
        "name": name,
        "trick": f"{chapter}.{place}" if chapter in "123456" else "",
        "subject": {"kind": "comparison", "id": "cnn-vs-mlp"},
        "state": state,
        "part": "protocol",
        "kind": None,
        "severity": None,
        "level": None,
        "message": "",
        "quantities": [],
        "where": HERE,
        "reason": None,
        "would_decide": "",
        "fix": "",
        "limit": "",
        "claims": ["C1"],
        "bears": None,
    } | more


JUDGEMENTS = [
    judgement(
        "RC102", "hidden-epochs", "flagged", severity="major", kind="asymmetry", level="declared",
        message="360 iterations of `cnn` are 36.0 epochs, where `mlp` trains 10",
        quantities=[quantity("epochs of cnn", 36.0, "epochs"), quantity("epochs of mlp", 10)],
        where=at(8, 16, "methods.cnn.train"), fix="Report both lengths in epochs, or train "
        "the baseline as long: `--align mlp=cnn`.", bears="conclusion",
    ),
    judgement(
        "RC901", "gain-is-not-the-difference", "flagged", severity="minor", kind="mismatch",
        level="forensic", part="forensic", message="94 − 68 is 26.0, the text says 27",
        quantities=[quantity("difference", 26.0, "points", "forensic")],
        where=at(44, 5, "claims[0]"), fix="Correct the number in the text.", bears="disclosure",
    ),
    judgement(
        "RC205", "seed-picking", "flagged", severity="note", kind="unsupported", level="rerun",
        subject={"kind": "method", "id": "mlp"}, claims=[], message="single seed: 42",
        quantities=[quantity("declared seeds", 1)], where=at(20, 5, "methods.mlp.seeds"),
        fix="Report at least five seeds.",
    ),
    judgement(
        "RC101", "batch-inflation", "undetermined", reason="undeclared-key",
        message="cannot be judged: the batch size of `mlp` is undeclared",
        would_decide="declare `methods.mlp.train.batch_size`",
    ),
    judgement(
        "RC201", "lr-schedule-swap", "undetermined", reason="not-observed",
        message="consistent as declared: both use a cosine",
        would_decide="a rerun that observes it",
    ),
    judgement(
        "RC512", "cherry-picking", "undetermined", reason="needs-human",
        message="how were the shown samples chosen?", would_decide="a reviewer's answer",
        claims=["C4"],
    ),
    judgement(
        "RC902", "impossible-accuracy", "cleared", level="forensic", part="forensic",
        message="every printed accuracy is a multiple of 1/1000",
        limit="would have seen a step of 0.05 points", claims=["C1", "C2", "C3", "C4"],
        quantities=[quantity("test samples", 1000, "", "forensic")],
    ),
    judgement("RC508", "prompt-tilt", "not-applicable", message="no prompts: no language model"),
    judgement(
        "RC406", "borrowed-pretraining", "error", message="the rule itself broke: KeyError: 'x'",
        would_decide="Traceback …",
    ),
]  # fmt: skip

RULES = {
    j["rule"]: {
        "name": j["name"],
        "title": f"Title of {j['name']}",
        "trick": j["trick"],
        "family": "compute",
        "severity": "major",
        "catches": "Two lengths of training in two units, `iterations` and `epochs`.\n\nBoth true.",
        "legitimate": "* fine-tuning\n* learning curves",
        "decided": "Both lengths are converted to epochs.",
        "fix": "Report both in epochs.",
        "source": "hzwer 1.2",
    }
    for j in JUDGEMENTS
}


def budget(method: str, value: float | None) -> Json:
    """What was counted: the CNN trains longer; most of the GRU's work was out of sight."""
    steps = {"cnn": 1200, "logistic": None}.get(method, 360)
    if value is None or steps is None:
        return {"steps": None, "samples": None, "epochs": None, "unseen_cpu_share": 0.02}
    return {
        "steps": steps,
        "samples": None if method == "gru" else 100 * steps,
        "epochs": None if method == "gru" else steps / 40,
        "unseen_cpu_share": 0.34 if method == "gru" else 0.013,
    }


def observed(method: str, value: float | None) -> Json | None:
    """What a probe saw; the runs of the logistic regression were made without one."""
    if method == "logistic" or value is None:
        return None
    gaps = [{"what": "rows", "why": "the model is compiled: its inputs were not seen"}]
    evaluations = [
        {"at": at, "set": 1, "examples": 1000, "rows": 1000, "views": 1.0, "held": True,
         "final": at == 360}
        for at in (180, 360)
    ]  # fmt: skip
    return {
        "seen": True,
        "gaps": gaps if method == "gru" else [],
        "evaluations": evaluations,
        "more_evaluations": 0,
        "seeds": [{"lib": "torch", "value": "42", "times": 1}],
        "loads": [],
        "network": [],
        "hashed_share": 1.0,
    }


def run(method: str, seed: int, kind: str, value: float | None, **more: Any) -> Json:
    return {
        "key": f"{method}{seed:04d}ab12cd34",
        "arm": method,
        "arm_kind": "declared",
        "method": method,
        "dataset": "mnist1d",
        "seed": seed,
        "seed_kind": kind,
        "status": "ok" if value is not None else "nonzero",
        "reason": "" if value is not None else "exit code 1: CUDA is not available",
        "metrics": {} if value is None else {"accuracy": value},
        "wall_s": 3.21,
        "peak_rss_mb": 310.0,
        "budget": budget(method, value),
        "observed": observed(method, value),
        "directory": f"runs/{method}{seed:04d}",
        "attempts": 1 if value is not None else 2,
        "command": f"python train.py --model {method} --seed {seed} --out {{out}}",
        "exit_code": 0 if value is not None else 1,
        "stdout_sha256": "9f86d081884c7d659a2feaa0c55ad015",
        "machine": "host",
    } | more


def _runs() -> list[Json]:
    centres = {"cnn": 90.1, "mlp": 68.7, "logistic": 31.9, "gru": 88.9}
    made = [
        run(method, seed, "declared" if seed == 42 else "fresh", round(centre + offset, 2))
        for method, centre in centres.items()
        for seed, offset in ((42, 0.9), (711, -0.6), (1204, 0.3), (2077, 1.1), (3131, -1.4))
    ]
    return [*made, run("cnn", 4090, "fresh", None)]


def _trick(number: str, slug: str, says: str, group: str) -> Json:
    found = [j for j in JUDGEMENTS if j["trick"] == number]
    state = found[0]["state"] if found else "undetermined"
    return {
        "trick": number,
        "slug": slug,
        "says": says,
        "asks": f"Is {slug} excluded?",
        "group": group,
        "state": state,
        "states": {state: 1} if found else {},
        "severity": found[0]["severity"] if found else None,
        "reason": found[0]["reason"] if found else "no-rule-yet",
        "would_decide": found[0]["would_decide"] if found else "a rule that is not written yet",
        "message": found[0]["message"] if found else "",
        "rules": [j["rule"] for j in found],
        "by": found[0]["rule"] if found else None,
        "standing": "explains the gain" if number == "1.2" else None,
        "page": PAGE if found else {},
    }


PAGE = {
    "what": "What it is, in `a sentence`.",
    "legitimate": "When it is stated.",
    "decided": "- Declared (RC102): the lengths.\n- Not decided: the rest.",
    "bad": "36 epochs against 10.",
    "good": "36 epochs each.",
    "fix": "Train both as long.",
    "false_positives": "None that is known.",
    "questions": ["Is it what the paper offers?", "Was it tuned?"],
}


def line(key: str, declared: str, observed: str, state: str, why: str = "") -> Json:
    seen = state in {"same", "differs", "unit", "undeclared"}
    return {
        "key": key,
        "declared": declared,
        "observed": observed,
        "state": state,
        "ratio": None,
        "level": "observed" if seen else None,
        "source": "run cnn0711ab12c (runs/cnn0711/probe)" if seen else "",
        "why": why,
    }


LINES = {
    "cnn": [
        line("train.length", "360 iterations", "1,200 steps", "differs",
             "1,200 steps are 3.33 times the declared 360"),
        line("train.optimizer.name", "adam", "adam", "same"),
        line("train.batch_size", "100", "100", "same"),
        line("train.lr_schedule.type", "cosine", "cosine", "same"),
        line("train.optimizer.weight_decay", "", "0.05", "undeclared"),
        line("train.ema", "false", "", "unseen", "no evaluation was seen after the last step"),
    ],
    "mlp": [
        line("train.length", "10 epochs", "360 steps", "unit",
             "360 steps are 9 epochs of 4,000 samples"),
        line("train.optimizer.name", "adam", "adam", "same"),
        line("train.batch_size", "", "100", "undeclared"),
        line("train.lr_schedule.type", "", "constant", "undeclared"),
        line("train.optimizer.weight_decay", "", "0", "undeclared"),
        line("train.ema", "false", "", "unseen", "no evaluation was seen after the last step"),
    ],
}  # fmt: skip


def _rate(method: str, share: float) -> float:
    """A cosine that warms up, and a constant."""
    if method == "mlp":
        return 0.001
    if share < 0.05:
        return 0.01 * share / 0.05
    return 0.005 * (1 + math.cos(math.pi * (share - 0.05) / 0.95))


def curves(method: str, steps: int, seeds: tuple[int, ...] = (42, 711)) -> Json:
    """Return the traces of one method; its loss falls to a floor."""
    shares = [k / 20 for k in range(21)]
    found: Json = {"lr": [], "loss": []}
    for seed in seeds:
        head = {
            "run": f"{method}{seed:04d}ab12cd34",
            "seed": seed,
            "dataset": "mnist1d",
            "step": [max(1, round(steps * share)) for share in shares],
            "samples": [100 * max(1, round(steps * share)) for share in shares],
        }
        rates = [round(_rate(method, share), 6) for share in shares]
        fall = 2.3 if method == "mlp" else 6.0
        losses = [
            round(0.02 + 2.4 * math.exp(-fall * share) * (1 + 0.1 * math.sin(7 * k + seed)), 4)
            for k, share in enumerate(shares)
        ]
        low = sum(rate < 0.01 * max(rates) for rate in rates) / len(rates)
        found["lr"].append(
            head | {"value": rates, "first": rates[0], "peak": max(rates), "last": rates[-1],
                    "low_share": round(low, 4)}
        )  # fmt: skip
        found["loss"].append(
            head | {"value": losses, "first": losses[0], "last": losses[-1], "not_finite": 0}
        )
    return found


def _method(id_: str, role: str, train: str, epochs: float | None) -> Json:
    missing = {"value": None, "reason": f"declare `methods.{id_}.train.epochs`"}
    steps = 1200 if id_ == "cnn" else 360
    return {
        "id": id_,
        "role": role,
        "declared": [
            {"key": "role", "value": role, "where": ""},
            {"key": "train.length", "value": train, "where": "Sec. 4.1"},
            {"key": "train.optimizer.name", "value": "adam", "where": ""},
            *([{"key": "train.batch_size", "value": "100", "where": ""}] if id_ != "mlp" else []),
            {"key": "train.augmentation", "value": "none", "where": ""},
            {"key": "train.ema", "value": "false", "where": ""},
        ],
        "observed": LINES[id_],
        "budget": {
            "steps": quantity("steps", steps, "steps", "observed") | {"declared": 360},
            "samples": quantity("samples", 100 * steps, "samples", "observed")
            | {"declared": 36000 if id_ == "cnn" else None},
            "epochs": missing
            if epochs is None
            else quantity("epochs", epochs, "epochs") | {"declared": epochs},
        },
        "traces": curves(id_, steps),
    }


def sample() -> Json:
    """Return a report that holds every verdict and every state."""
    counts = {"reproduced": 1, "not-reproduced": 1, "inconclusive": 1, "not-run": 1}
    states = {"flagged": 3, "cleared": 1, "undetermined": 3, "not-applicable": 1, "error": 1}
    return copy.deepcopy({
        "repcheck": {"version": "0.1.0", "schema": 1},
        "paper": {
            "title": "Scaling Down Deep Learning with MNIST-1D",
            "authors": ["Sam Greydanus", "Dmitry Kobak"],
            "venue": "ICML 2024",
            "version": "",
            "url": "https://arxiv.org/abs/2011.14439",
        },
        "claims_file": {"path": "claims.yaml", "sha256": "4be1" * 16, "declared_by": "reviewer"},
        "command": "repcheck check --yes claims.yaml",
        "created": "2026-11-21T04:00:00Z",
        "environment": {"python": "3.11.2", "platform": "Linux", "cpu": "x86", "cores": "2"},
        "isolation": {"level": "limits", "words": "limits only", "network": "not restricted"},
        "artifact": {"root": "mnist1d", "commit": "18e2032", "tree_sha256": "77aa" * 16},
        "thresholds": [{"rule": "RC102", "option": "slack", "value": 0.2, "default": 0.05}],
        "answers": [],
        "seed_salt": "",
        "headline": {
            "sentence": "The headline claim, “The CNN beats the MLP by 26 points”, does not come "
            "out again, and hidden-epochs (RC102): cnn trains 36.0 epochs, mlp 10; effect unknown; "
            "1 major finding(s) in all, 3 check(s) could not be decided.",
            "verdict": "not-reproduced",
            "flagged": 2,
            "counts": counts,
        },
        "claims": [HEADLINE_CLAIM, *CLAIMS],
        "judgements": JUDGEMENTS,
        "rules": RULES,
        "arms": sample_arms(),
        "runs": _runs(),
        "budget": _budget(),
        "methods": [
            _method("cnn", "proposed", "360 iterations", 36.0),
            _method("mlp", "baseline", "10 epochs", None),
        ],
        "results": [
            {"method": "cnn", "dataset": "mnist1d", "metric": "accuracy",
             "printed": "94 ± 0.3 (n = 5)", "where": at(30, 5, "results[0]")},
        ],
        "coverage": {
            "rules": states,
            "tricks": [_trick(t.number, t.slug, t.says, t.group) for t in TRICKS],
            "undeclared": {
                "missing": 2,
                "relevant": 61,
                "keys": [
                    {"path": "methods.*.train.batch_size", "rules": "RC101 RC102",
                     "fill": "yes, any short run", "count": 2},
                    {"path": "datasets.mnist1d.test.path or loader", "rules": "RC509",
                     "fill": "no", "count": 1},
                ],
            },
        },
        "plan": {
            "planned": 21,
            "done": 21,
            "left_out": [{"title": "human on mnist1d, seed 42", "reason": "no-command"}],
            "seeds": {"declared": [42], "fresh": [711, 1204, 2077, 3131, 4090]},
            "wall_s": 67.4,
        },
        "waived": [],
    })  # fmt: skip


def cell(value: float | None, text: str, how: str = "observed", **more: Any) -> Json:
    """One amount of a budget; without a value it is not known."""
    if value is None:
        return {"value": None, "reason": text}
    return {
        "value": value,
        "unit": "",
        "text": text,
        "how": how,
        "level": "observed" if how == "observed" else "declared",
        "source": "run cnn0711ab12c, probe/, counted",
        "declared": None,
        "at_least": "",
        "span": "",
    } | more


def _budget() -> Json:
    """The CNN takes more of everything; the MLP's evaluation was not counted whole."""
    ours = {
        "steps": cell(1200, "1,200"),
        "samples": cell(120000, "120,000", span="119,000 to 120,000 over 5 runs"),
        "epochs": cell(None, "the length is not stated in epochs"),
        "effective_epochs": cell(36.0, "36", "derived"),
        "train_flops": cell(3.2e12, "3.2 TFLOPs"),
        "inference_flops": cell(8.9e6, "8.9 MFLOPs"),
        "params": cell(5210, "5,210"),
        "wall": cell(3.21, "3.21 s"),
    }
    theirs = {
        "steps": cell(360, "360"),
        "samples": cell(36000, "36,000"),
        "epochs": cell(10, "10", "declared"),
        "effective_epochs": cell(10, "10", "derived"),
        "train_flops": cell(2.1e11, "210 GFLOPs"),
        "inference_flops": cell(
            1.9e6, "1.9 MFLOPs", at_least="count incomplete: 4% of the matrix operations have no "
            "formula (fft_r2c)"
        ),
        "params": cell(15210, "15,210", "declared"),
        "wall": cell(None, "rerun it: time is measured, here and on this machine"),
    }  # fmt: skip
    bound = "the baseline's is a lower bound"
    ratios = {
        unit: {"ratio": one["value"] / theirs[unit]["value"], "method": one["value"],
               "baseline": theirs[unit]["value"], "at_least": ""}
        for unit, one in ours.items()
        if one["value"] and theirs[unit]["value"]
    }  # fmt: skip
    return {
        "included": "A search over hyperparameters is not in the training FLOPs.",
        "methods": [
            {"id": "cnn", "role": "proposed", "cells": ours},
            {"id": "mlp", "role": "baseline", "cells": theirs},
        ],
        "comparisons": [
            {"method": "cnn", "baseline": "mlp", "dataset": "mnist1d", "claims": ["C1"],
             "ratios": ratios | {"inference_flops": {"ratio": None, "reason": bound}}},
        ],
    }  # fmt: skip


def _renamed(method: Json, name: str, dataset: str, *, traced: bool) -> Json:
    traces = {
        kind: [one | {"dataset": dataset} for one in found]
        for kind, found in (method["traces"].items() if traced else ())
    }
    return method | {"id": name, "traces": traces}


def large(claims: int = 1_000, runs: int = 10_000) -> Json:
    """Return a report of this size: five runs each of the two methods of every claim."""
    report = sample()
    report["claims"], report["runs"], report["judgements"] = [], [], []
    each = max(1, runs // claims)
    for i in range(claims):
        found = dict((GAIN, VALUE, OPEN)[i % 3])
        shift = 3 * math.sin(i)
        found |= {"observed": found["observed"] + shift,
                  "interval": [bound + shift for bound in found["interval"]]}  # fmt: skip
        report["claims"].append(
            claim(f"C{i}", f"Method {i} beats its baseline on task {i}", f"ours{i}", found,
                  baselines=[f"base{i}"], dataset=f"task{i}")
        )  # fmt: skip
        report["runs"] += [
            run(f"{('ours', 'base')[k % 2]}{i}", 100 + k, "fresh", 60 + shift + k / 7,
                dataset=f"task{i}")
            for k in range(each)
        ]  # fmt: skip
        report["judgements"] += [
            one | {"claims": [f"C{i}"], "subject": {"kind": "comparison", "id": f"ours{i}-base{i}"}}
            for one in JUDGEMENTS
        ]
    like = {"ours": report["methods"][0], "base": report["methods"][1]}
    report["methods"] = [
        _renamed(like[name], f"{name}{i}", f"task{i}", traced=i < 10)
        for i in range(claims)
        for name in like
    ]
    report["headline"]["counts"] = {
        word: sum(c["reproduction"]["verdict"] == word for c in report["claims"])
        for word in ("reproduced", "not-reproduced", "inconclusive", "not-run")
    }
    return report
