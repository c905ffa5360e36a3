"""Prompts as they are put to a language model: what the probe writes down, and what is read off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from probe_support import observe_raw, run_plain
from scipy.stats import fisher_exact

from repcheck.analysis import observe
from repcheck.analysis.prompt_form import forms_of, slots_of
from repcheck.facts.asked import more_words, reworded
from repcheck.launch import variables
from repcheck.observation import PromptsSeen
from repcheck.stats.two_shares import greater

CALL = {"REPCHECK_PROMPT": "lm:generate"}
LM = """
def generate(prompt, n=1):
    generate.asked = getattr(generate, "asked", 0) + 1
    return [len(prompt)] * n
"""
QUESTIONS = """
QUESTIONS = [f"team {i} won the final match by {i + 3} goals" for i in range(20)]
QUESTIONS += [f"market {i} fell by {i + 3} points on monday" for i in range(20)]
"""
ASK = f"""
{QUESTIONS}
from lm import generate
for question in QUESTIONS:
    asked = f"Say which topic the text is about.\\n{{SOLVED}}Text: {{question}}\\nTopic:"
    print(generate(FORM.format(asked)))
"""


def asked(
    tmp_path: Path, script: str, env: dict[str, str] | None = None, lm: str = LM
) -> PromptsSeen:
    (tmp_path / "lm.py").write_text(lm)
    raw = observe_raw(script, tmp_path, env=CALL if env is None else env)
    assert raw.rc == 0, raw.err
    seen = observe(raw.folder)
    assert not seen.probe_errors
    assert seen.prompts is not None
    return seen.prompts


def script(form: str = "{}", solved: str = "", tail: str = ASK) -> str:
    return f"FORM = {form!r}\nSOLVED = {solved!r}\n{tail}"


def test_the_prompts_of_a_named_function_are_written_down_and_its_answers_stay(
    tmp_path: Path,
) -> None:
    text = script(solved="".join(f"Text: story {i} of the day\nTopic: sport\n" for i in range(5)))
    seen = asked(tmp_path, text)
    assert (seen.via, seen.what, seen.count, seen.kept, seen.unique) == (
        "call", "lm:generate", 40, 40, 40,
    )  # fmt: skip
    assert (seen.shots, seen.shots_most, seen.exemplars, seen.exemplars_asked) == (5, 5, 5, 0)
    assert seen.prefix == "Say which topic the text is about.\nText:"
    assert seen.suffix == "Topic:"
    probed = observe_raw(text, tmp_path, env=CALL).out
    assert probed == run_plain(text, tmp_path).out


def test_markup_of_chats_changes_nothing_of_what_is_asked(tmp_path: Path) -> None:
    forms = {
        "plain": "{}",
        "inst": "<s>[INST] {} [/INST]",
        "chatml": "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        "vicuna": "USER: {}\nASSISTANT:",
    }
    found = {}
    for name, form in forms.items():
        (tmp_path / name).mkdir()
        found[name] = asked(tmp_path / name, script(form))
    plain = found.pop("plain")
    for name, seen in found.items():
        assert more_words(seen, plain) == ("", ""), name
        assert seen.questions == plain.questions, name
        assert abs(seen.words - plain.words) <= 1, name


def test_turns_of_an_assistant_are_solved_examples() -> None:
    turn = "<|user|>\nQ: what is {0} and {0}?\n<|assistant|>\nit is {1}\n"
    texts = [
        "<|system|>\nBe brief.\n" + turn.format(1, 2) + turn.format(2, 4)
        + f"<|user|>\nQ: what is {n} and 7?\n<|assistant|>\n"
        for n in range(10)
    ]  # fmt: skip
    forms = forms_of(texts)
    assert {len(form.exemplars) for form in forms} == {2}
    assert forms[3].frame == "Be brief.\nQ: what is 3 and 7?"


@pytest.mark.parametrize(
    ("block", "last"),
    [("Q: is {0} odd?\nA: {1}\n", "Q: is {0} odd?\nA:"), ("word {0} => {1}\n", "word {0} =>")],
)
def test_solved_examples_are_counted_by_what_repeats(block: str, last: str) -> None:
    solved = "".join(block.format(n, "yes" if n % 2 else "no") for n in range(100, 103))
    forms = forms_of(["Answer briefly.\n" + solved + last.format(n) for n in range(12)])
    assert {len(form.exemplars) for form in forms} == {3}
    assert forms[5].frame == "Answer briefly.\n" + last.format(5)
    assert {len(form.exemplars) for form in forms_of([last.format(n) for n in range(12)])} == {0}


def test_a_hint_is_a_place_that_is_filled_and_the_words_of_a_text_are_none() -> None:
    bodies = [f"number {n} went on about thing {n * n}" for n in range(40)]
    hinted = [
        f"[cat: {'sport' if n % 2 else 'travel'}] {body}" if n % 3 == 0 else body
        for n, body in enumerate(bodies)
    ]
    before, after, words = slots_of(hinted)[0]
    assert (before, after, sum(map(bool, words))) == ("cat :", "", 14)
    assert words[:4] == ("travel", "", "", "sport")
    assert not any(":" in left or "]" in right for left, right, _ in slots_of(bodies))


def test_a_hint_in_every_prompt_is_a_place_at_the_end_of_what_they_share() -> None:
    topics = ("sport", "travel", "science")
    bodies = [f"{topics[n % 3]}] {'abcdef'[n % 6]} number {n}" for n in range(60)]
    ends = [words for left, right, words in slots_of(bodies) if (left, right) == ("^ ^", "")]
    assert [words[:3] for words in ends] == [topics]


def test_the_same_prompt_asked_again_is_one_more_answer(tmp_path: Path) -> None:
    again = "\nfor question in QUESTIONS * 2:\n    generate(f'Text: {question}\\nTopic:')\n"
    seen = asked(tmp_path, QUESTIONS + "from lm import generate" + again)
    assert (seen.count, seen.unique, seen.samples) == (80, 40, 2.0)


def test_solved_examples_that_are_asked_themselves_are_counted(tmp_path: Path) -> None:
    solved = "Text: team 3 won the final match by 6 goals\nTopic: sport\n"
    solved += "Text: something else of the day\nTopic: business\n"
    seen = asked(tmp_path, script(solved=solved))
    assert (seen.exemplars, seen.exemplars_asked) == (2, 1)


def test_a_named_function_that_is_never_called_is_told_of(tmp_path: Path) -> None:
    seen = asked(tmp_path, "import lm\n")
    assert (seen.what, seen.count) == ("lm:generate", 0)
    (tmp_path / "other").mkdir()
    assert asked(tmp_path / "other", "print(1)\n").count == 0


def test_prompts_put_in_a_process_without_a_probe_are_never_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "lm.py").write_text(LM)
    raw = observe_raw(
        "import subprocess, sys\n"
        "import lm\n"
        "subprocess.run([sys.executable, '-I', '-c', 'print(1)'], check=True)\n",
        tmp_path, env=CALL,
    )  # fmt: skip
    seen = observe(raw.folder)
    assert seen.prompts is not None
    assert seen.prompts.count == 0
    assert seen.gap("process") is not None


def test_no_more_prompts_are_kept_than_the_record_says(tmp_path: Path) -> None:
    text = "from lm import generate\nfor i in range(2100):\n    generate(f'{i} ' * 1500)\n"
    seen = asked(tmp_path, text)
    assert (seen.count, seen.kept, seen.words) == (2100, 2000, 1500)
    assert len(seen.prefix) <= 1000
    lines = next((tmp_path / "record").glob("*.prompts")).read_text().splitlines()
    assert len(lines) == 2000
    assert max(len(json.loads(line)["p"]) for line in lines) == 4000


def test_a_forged_or_torn_file_of_prompts_is_read_as_far_as_it_makes_sense(tmp_path: Path) -> None:
    asked(tmp_path, script())
    path = next((tmp_path / "record").glob("*.prompts"))
    whole = path.read_bytes().splitlines(keepends=True)
    forged = b'{"v":"call","p":7}\n[[[\n{"v":"call","k":-1,"n":1e999,"w":-5,"h":[],"p":"x"}\n\xff\n'
    path.write_bytes(forged + b"".join(whole[:3]) + whole[3][:20])
    seen = observe(tmp_path / "record").prompts
    assert seen is not None
    assert (seen.kept, seen.unique) == (4, 4)
    path.unlink()
    path.symlink_to("/etc/hostname")
    again = observe(tmp_path / "record").prompts
    assert again is not None
    assert again.kept == 0


TOKENIZER = """
class Ids(list):
    dtype = "torch.int64"
    shape = property(lambda self: (len(self), 4))
class PreTrainedTokenizerBase:
    def __call__(self, text, **more):
        texts = [text] if isinstance(text, str) else text
        return Ids([[1, 2, 3, 4] for _ in texts])
    def encode(self, text): return [1]
    def apply_chat_template(self, messages, tokenize=True):
        said = "".join(f"<|{m['role']}|>\\n{m['content']}\\n" for m in messages)
        said += "<|assistant|>\\n"
        return self(said) if tokenize else said
"""
GENERATION = """
class GenerationMixin:
    def generate(self, ids, num_return_sequences=1):
        from transformers.tokenization_utils_base import Ids
        return Ids(list(ids) * num_return_sequences)
"""


def test_what_was_tokenised_last_before_a_generation_is_the_prompt(tmp_path: Path) -> None:
    # A package of the same names: the library itself is too large to be installed for a test.
    (tmp_path / "transformers" / "generation").mkdir(parents=True)
    for name, text in (
        ("__init__", ""), ("tokenization_utils_base", TOKENIZER), ("generation/__init__", ""),
        ("generation/utils", GENERATION),
    ):  # fmt: skip
        (tmp_path / "transformers" / f"{name}.py").write_text(text)
    seen = asked(
        tmp_path,
        QUESTIONS + "from transformers.tokenization_utils_base import PreTrainedTokenizerBase\n"
        "from transformers.generation.utils import GenerationMixin\n"
        "class Lm(GenerationMixin): pass\n"
        "tokens, model = PreTrainedTokenizerBase(), Lm()\n"
        "for text in ['a text that is learnt', 'one more']: tokens(text)\n"
        "for q in QUESTIONS:\n"
        "    ids = tokens.apply_chat_template([{'role': 'user', 'content': 'Topic? ' + q}])\n"
        "    model.generate(ids, num_return_sequences=3)\n",
        env={},
    )
    assert (seen.via, seen.what, seen.count, seen.unique) == ("tokenizer", "Lm.generate", 40, 40)
    assert (seen.samples, seen.tokens, seen.prefix) == (3.0, 4.0, "Topic?")


def test_questions_in_other_words_are_told_from_other_questions() -> None:
    def seen(*pairs: tuple[str, str]) -> PromptsSeen:
        names, ends = zip(*pairs, strict=True)
        return PromptsSeen(via="call", what="lm:f", questions=names, ends=ends)

    ours = seen(("a", "1:2"), ("b", "3:4"), ("c", "5:6"))
    assert reworded(ours, seen(("a", "1:2"), ("x", "9:4"), ("y", "7:8"))) == (1, 3)
    assert reworded(ours, seen(("x", "9:9"), ("y", "7:8"))) == (0, 3)


def test_fishers_test_is_that_of_scipy() -> None:
    for table in ((60, 200, 15, 200), (3, 40, 0, 40), (0, 10, 9, 10), (10, 10, 0, 10)):
        hits, n, others, m = table
        cells = [[hits, n - hits], [others, m - others]]
        assert greater(*table) == pytest.approx(fisher_exact(cells, "greater")[1], rel=1e-9)


def test_only_the_claims_file_names_the_function_whose_prompts_are_written(tmp_path: Path) -> None:
    assert variables(tmp_path, {}, (), "lm:generate")["REPCHECK_PROMPT"] == "lm:generate"
    assert variables(tmp_path, {"REPCHECK_PROMPT": "os:system"})["REPCHECK_PROMPT"] == ""
    assert "REPCHECK_PROMPT" not in variables(tmp_path, {})
