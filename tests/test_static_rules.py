"""What an artifact's source shows without being run, also where the source is hostile."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from repcheck import rules
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.fact import Evidence, Level
from repcheck.facts.code_alike import CodeAlike, Reference
from repcheck.judge import judge
from repcheck.rule import Judgement, Severity, State, Undetermined
from repcheck.rules.ultimate import renamed_method
from repcheck.source_code.alike import compared
from repcheck.source_code.prints import Budget, Print, prints
from repcheck.source_code.sinks import constants

RULES = rules.load()
STATIC = [RULES[code] for code in ("RC203", "RC601", "RC602", "RC602b")]
COPY = Path(__file__).parent / "rules" / "ultimate" / "renamed_method" / "artifact_copy"
BLOCK = (COPY / "third_party" / "senet" / "se.py").read_text()
PLAIN = "from models import build\n\nbuild(3)\n"


def judged(
    folder: Path, files: dict[str, str | bytes], *, command: str = "python train.py", more: str = ""
) -> dict[str, list[Judgement]]:
    """Return what the static rules say of an artifact, by rule."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    paper = folder / "claims.yaml"
    paper.write_text(
        "repcheck: 1\n"
        f"artifact: {{root: .{more}}}\n"
        "datasets: {digits: {public: true}}\n"
        "methods:\n"
        f'  ours: {{role: proposed, train: {{command: "{command}"}}}}\n'
        f'  base: {{role: baseline, train: {{command: "{command}"}}}}\n'
        "metrics: {accuracy: {higher_is_better: true, unit: percent}}\n"
        "claims:\n"
        "  - {id: C1, method: ours, baselines: [base], metric: accuracy, improvement: 5.2}\n"
    )
    found: dict[str, list[Judgement]] = {}
    for one in judge(Evidence(claims=load(paper)), STATIC):
        assert one.state is not State.ERROR, one.would_decide
        found.setdefault(one.rule, []).append(one)
    return found


def states(found: dict[str, list[Judgement]], code: str) -> set[State]:
    return {one.state for one in found[code]}


# --- hostile sources --------------------------------------------------------------------------

HOSTILE: dict[str, str | bytes] = {
    "ten_megabytes_in_one_line": b"x = '" + b"a" * 10_000_000 + b"'\n",
    "brackets_in_brackets": "x = " + "(" * 5_000 + ")" * 5_000 + "\n",
    "a_sum_of_many": "x = " + "+".join(["1"] * 60_000) + "\n",
    "signs_before_signs": "x = " + "-" * 60_000 + "1\n",
    "a_chain_of_attributes": "x = a" + ".b" * 60_000 + "\n",
    "a_syntax_error": "def train(:\n",
    "python_2": 'print "trained"\n',
    "a_zero_byte": b"x = 1\0\n",
    "no_text_at_all": bytes(range(128, 256)) * 100,
    "blocks_in_blocks": "".join("\t" * depth + "if x:\n" for depth in range(120))
    + "\t" * 120
    + "y",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_is_said_to_be_unread_and_never_cleared(tmp_path: Path, name: str) -> None:
    files: dict[str, str | bytes] = {
        "train.py": "import odd\nfrom models import Poly\n",
        "odd.py": HOSTILE[name],
        "models.py": BLOCK.replace("SEBlock", "Poly"),
        "third_party/senet/other.py": "import torch\n",
    }
    found = judged(tmp_path, files)
    for code in ("RC203", "RC601"):
        assert states(found, code) == {State.UNDETERMINED}, found[code]
        assert "odd.py" in found[code][0].message
    assert State.CLEARED not in states(found, "RC602b")


def test_links_that_lead_to_themselves_or_outside_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("AUX_WEIGHT = 0.173\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "loop").symlink_to(inside)
    (inside / "secret.py").symlink_to(outside / "secret.py")
    (inside / "train.py").symlink_to("train.py")
    found = judged(inside, {"models.py": "def build(x):\n    return x\n"})
    assert states(found, "RC203") == {State.UNDETERMINED}
    # A link may lead to the script: that it is missing is not known.
    assert State.FLAGGED not in states(found, "RC602") | states(found, "RC602b")


def test_notebooks_are_said_not_to_be_read(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"train.ipynb": "{}", "train.py": "x = 1\n"}
    found = judged(tmp_path, files)
    assert "train.ipynb" in found["RC203"][0].limit
    assert "train.ipynb" in found["RC602b"][0].message


def test_nothing_of_the_artifact_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "was_here"
    text = f"open({str(mark)!r}, 'w')\n"
    found = judged(tmp_path, {"train.py": text, "models.py": text, "conftest.py": text})
    assert not mark.exists()
    assert states(found, "RC203") == {State.CLEARED}


# --- 2.3: numbers in the code -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value", "sink"),
    [
        ("loss = ce + 0.37 * l2", 0.37, "a factor of a loss"),
        ("loss = ce / 3.7", 3.7, "a factor of a loss"),
        ("total = main_loss(x) + 0.21 * y", 0.21, ""),
        ("(ce + 0.37 * l2).backward()", 0.37, "a factor of a loss"),
        ("if epoch > 37: x = 1", 37, "compared with `epoch`"),
        ("if best_acc >= 93.4: x = 1", 93.4, "compared with `best_acc`"),
        ("opt = torch.optim.SGD(p, 0.07)", 0.07, "an argument of `SGD`"),
        ("s = StepLR(opt, 30, gamma=0.17)", 0.17, "`gamma` of `StepLR`"),
        ("s = MultiStepLR(opt, milestones=[31, 61])", 31, "`milestones` of `MultiStepLR`"),
        ("group['lr'] *= 0.31", 0.31, "`lr`"),
        ("temperature = 0.07", 0.07, "`temperature`"),
        ("def f(x, margin=0.3): pass", 0.3, "the default of `margin`"),
        ("clip_grad_norm_(p, 4.7)", 4.7, "`clip_grad_norm_`"),
        ("drop = nn.Dropout(0.35)", 0.35, "`Dropout`"),
        ("y = cross_entropy(z / 0.07, t)", 0.07, "a scale inside `cross_entropy`"),
        ("self.aux_weight = -0.3", -0.3, "`aux_weight`"),
    ],
)
def test_a_number_that_acts_on_the_training_is_found(line: str, value: float, sink: str) -> None:
    found = constants(ast.parse(f"{line}\n"), "a.py", frozenset())
    [hit] = [one for one in found if one.value == value]
    assert hit.where == "a.py:1"
    assert not sink or hit.sink == sink


@pytest.mark.parametrize(
    "line",
    [
        "optimizer = SGD(p, betas=(0.9, 0.999), eps=1e-8)",
        "x = (x - 0.485) / 0.229",
        "conv = nn.Conv2d(3, 64, 7, stride=2, padding=3)",
        "x = x.view(32, 8, 8)",
        "if step % 50 == 0: print(step)",
        "loss = 0.5 * (a + b)",
        "plt.plot(x, alpha=0.37)",
        "torch.manual_seed(1234)",
        "num_epochs_shown = 17",
        "loader = DataLoader(test, batch_size=250)",
        "image_size = 224",
    ],
)
def test_a_constant_of_nature_a_size_or_a_plot_is_not(line: str) -> None:
    assert constants(ast.parse(f"{line}\n"), "a.py", frozenset()) == []


def test_a_number_that_depends_on_the_dataset_is_found_and_a_number_of_classes_is_not() -> None:
    text = """
def settings(args, name, sample_id):
    weight = 1.0 + (name == "digits") * 0.43
    if args.dataset == "digits":
        classes, image_size = 10, 28
        lr = 0.07
    table = {"digits": 0.21, "wine": 0.33}
    if sample_id == 173:
        label = 7
    if name == "adam":
        mode = 0.77
    return weight
"""
    found = constants(ast.parse(text), "a.py", frozenset({"digits"}))
    chosen = {one.value: one.when for one in found if one.when}
    assert chosen == {
        0.43: 'name is "digits"',
        0.07: 'dataset is "digits"',
        0.21: '"digits"',
        0.33: '"wine"',
        7.0: "sample_id is 173",
    }


def test_each_number_is_named_as_an_arm_can_change_it() -> None:
    from repcheck.edits import Edit
    from repcheck.edits.constant import changed

    text = 'AUX = 0.173\n\n\ndef loss_of(a, b, c):\n    return a["x"] + 0.37 * b + AUX * c\n'
    for one in constants(ast.parse(text), "loss.py", frozenset()):
        file, _, key = one.edit.partition(":")
        new = changed(text, Edit(kind="constant", file=file, key=key, value=one.value * 2))
        [line] = {*new.splitlines()} - {*text.splitlines()}
        assert f"{one.value * 2:g}" in line


def test_a_number_in_the_claims_a_configuration_or_an_option_is_stated(tmp_path: Path) -> None:
    train = "def loss(a, b, c, d):\n    return a + 0.173 * b + 0.29 * c + 0.41 * d\n"
    option = "import argparse\nargparse.ArgumentParser().add_argument('--aux', default=0.29)\n"
    found = judged(
        tmp_path,
        {"train.py": option + train, "configs/a.yaml": "aux: 0.173\n", "results.json": "[0.41]"},
    )
    flagged, asked = found["RC203"]
    assert flagged.severity is Severity.NOTE
    assert re.findall(r"`(\S+)`: (\S+),", flagged.message) == [("train.py:4", "0.41")]
    assert 'tuning: {sweep: {loss_factor: {constant: "train.py:4:3", from: 0.41}}}' in (
        asked.would_decide
    )


def test_numbers_that_are_computed_or_loaded_are_missed_and_the_limit_says_so(
    tmp_path: Path,
) -> None:
    text = "import math\nAUX = math.sqrt(3) / float('10')\n\n\ndef loss(a, b):\n"
    found = judged(tmp_path, {"train.py": text + "    return a + AUX * b\n"})
    [own] = found["RC203"]
    assert own.state is State.CLEARED
    assert own.level is Level.STATIC
    assert "not numbers that are computed or loaded" in own.limit


# --- 6.1: code under other names --------------------------------------------------------------


def fingerprints(text: str) -> list[Print]:
    return [*prints(ast.parse(text), "a.py", Budget.of(10**6))]


def renamed(text: str) -> str:
    """Return code with every name of its own changed, comments gone, and hints written."""
    names = {"SEBlock": "Poly", "squeeze": "pool", "fc1": "a", "fc2": "b", "gate": "focus",
             "out": "mixed", "scale": "spread", "hidden": "inner"}  # fmt: skip
    text = ast.unparse(ast.parse(text))
    for old, new in names.items():
        text = re.sub(rf"\b{old}\b", new, text)
    text = text.replace("reduction=16", "reduction: int = 16")
    return text.replace("F.relu", "nn.functional.relu")


def test_a_copy_under_other_names_is_the_same() -> None:
    found = compared(fingerprints(renamed(BLOCK)), fingerprints(BLOCK))
    assert found.whole == 1.0
    assert found.matches[0].share == 1.0
    assert [one.own.name for one in found.copied(0.8, 15, 0.5)] == ["Poly.forward"]


def test_another_block_and_a_training_loop_are_not() -> None:
    other = """
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).unbind(2)
        score = torch.einsum("bnhd,bmhd->bhnm", q, k) / (d // self.heads) ** 0.5
        weights = score.softmax(-1)
        y = torch.einsum("bhnm,bmhd->bnhd", weights, v)
        return self.out(y.reshape(b, n, d))


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return loss
"""
    own = fingerprints(other)
    assert {one.name for one in own} == {"Attention.__init__", "Attention.forward"}
    found = compared(own, fingerprints(BLOCK))
    assert found.whole < 0.2
    assert found.copied(0.8, 15, 0.5) == ()


def test_a_block_whose_statements_are_reordered_passes_and_is_cleared_at_static_alone(
    tmp_path: Path,
) -> None:
    mine = """
import torch
from torch import nn


def half(x, s):
    return x * torch.special.expit(s)[..., None, None]


class Poly(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.b = nn.Linear(channels // 16 or 1, channels)
        self.a = nn.Linear(channels, channels // 16 or 1)

    def forward(self, x):
        mixed = half(x, self.b(self.act(self.a(torch.einsum("bchw->bc", x)))))
        spread = torch.var(mixed, (2, 3), keepdim=True, correction=0)
        mixed = (mixed - torch.mean(mixed, (2, 3), keepdim=True)) * torch.rsqrt(spread + 1e-5)
        return x + nn.functional.relu(mixed)
"""
    files: dict[str, str | bytes] = {
        "models.py": mine,
        "train.py": PLAIN,
        "third_party/se.py": BLOCK,
    }
    [own] = judged(tmp_path, files)["RC601"]
    assert own.state is State.CLEARED
    assert own.level is Level.STATIC
    assert "not statements in another order" in own.limit


def test_more_code_than_is_gone_through_is_not_cleared() -> None:
    budget = Budget.of(10)
    few = [*prints(ast.parse(BLOCK * 9), "a.py", budget)]
    assert len(few) == 1
    assert budget.spent
    other = Reference(path="zoo", stated=False, cited=None, alike=compared(few, few), files=9)
    seen = CodeAlike(own=1, references=(other,), blind=False, spent=True)
    own = renamed_method.check(Claims(), seen)[0]
    assert isinstance(own, Undetermined)
    assert "more code than is gone through" in own.message


# --- 6.2: what is missing ---------------------------------------------------------------------


def test_a_script_behind_a_condition_or_a_class_left_to_its_children_is_complete(
    tmp_path: Path,
) -> None:
    text = """
import sys


class Base:
    def forward(self, x):
        raise NotImplementedError


class Net(Base):
    def forward(self, x):
        return x


def main():
    if len(sys.argv) > 9:
        raise NotImplementedError("nine flags")
    return Net()


main()
"""
    found = judged(tmp_path, {"train.py": text})
    assert states(found, "RC602") == {State.CLEARED}
    assert [one for one in found["RC602b"] if one.severity is not None
            and one.severity is not Severity.NOTE] == []  # fmt: skip


def test_a_raise_in_a_function_of_another_file_is_followed(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train.py": "from lib.work import work as go\n\nif __name__ == '__main__':\n    go()\n",
        "lib/__init__.py": "",
        "lib/work.py": "def work():\n    with x:\n        raise NotImplementedError()\n",
    }
    found = judged(tmp_path, files)
    [own] = found["RC602"]
    assert own.severity is Severity.MAJOR
    assert own.level is Level.FORENSIC
    assert "`lib/work.py` raises NotImplementedError at line 3" in own.message
    assert "lib/work.py:3" in own.fix


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("from .gone import x", True),
        ("import lib.gone", True),
        ("from lib.gone import x", True),
        ("from lib import gone", False),
        ("import torchvision.gone", False),
        ("from lib._version import x", False),
        ("from lib.made import x", False),
        ("try:\n    import lib.gone\nexcept ImportError:\n    lib = None", False),
        ("def f():\n    import lib.gone", False),
    ],
)
def test_only_an_own_module_that_is_surely_needed_is_missing(
    tmp_path: Path, line: str, missing: bool
) -> None:
    files: dict[str, str | bytes] = {
        "train.py": f"{line}\n",
        "lib/__init__.py": "",
        "lib/made.pyx": "",
    }
    found = judged(tmp_path, files)
    assert (State.FLAGGED in states(found, "RC602")) is missing, found["RC602"][0].message


def test_a_folder_that_holds_nothing_but_the_claims_is_not_taken_for_the_artifact(
    tmp_path: Path,
) -> None:
    found = judged(tmp_path, {})
    assert states(found, "RC602") == {State.UNDETERMINED}
    assert states(found, "RC602b") == {State.UNDETERMINED}


def test_a_script_outside_of_the_artifact_is_not_called_missing(tmp_path: Path) -> None:
    found = judged(tmp_path, {"models.py": "x = 1\n"}, command="python ../runner/train.py")
    assert State.FLAGGED not in states(found, "RC602")


def test_a_readme_alone_is_told_with_what_is_there(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"README.md": "# Net\n", "overview.png": b"x", "b.png": b"x"}
    [own] = judged(tmp_path, files)["RC602"]
    assert own.severity is Severity.MAJOR
    assert own.message == (
        "0 of 1 claims have a runnable command: the artifact holds README.md and 2 figures; "
        "`train.py` is not there"
    )
    assert own.fix == "add `train.py`"
