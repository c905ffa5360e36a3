"""Prompts as they are put to a language model (`BASE.prompts`).

Watched are the function that `REPCHECK_PROMPT` names (`module:function`, its first text is the
prompt) and, where the artifact imports transformers, pipelines that generate text and what was
tokenised last before a generation. Arguments are read, never changed, and no result is touched.
"""

import os

from .encode import quote
from .imports import when_imported
from .patches import patch
from .recorder import rec

NAME = "REPCHECK_PROMPT"
MOST = 2000
HEAD, TAIL = 3000, 1000
"""Characters of a longer prompt that are kept, of its beginning and of its end."""
WAITING = 512
"""Texts that may have been tokenised before they are generated from."""
ARGUMENTS = ("prompt", "prompts", "text", "texts", "messages", "inputs", "input", "query")
TASKS = ("generation", "text2text", "conversation", "summarization", "translation", "question")

_state = {}
_waiting = []
_inside = [0]


def install():
    """Watch what is named, and transformers once it is imported."""
    _clear()
    named = os.environ.get(NAME, "")
    module, _, path = named.partition(":")
    if module and path:
        _count("call", named, 0, 0, 0)
        when_imported(module, lambda found: _watch(found, path, named), again=True)
    when_imported("transformers.tokenization_utils_base", _tokenizers)
    when_imported("transformers.generation.utils", _generation)
    when_imported("transformers.pipelines.base", _pipelines)
    rec.at_end.append(_tell)
    rec.after_fork.append(_clear)


def _clear():
    named = [key for key in _state if key[0] == "call"]
    _state.clear()
    del _waiting[:]
    _inside[0] = 0
    for via, what in named:
        _count(via, what, 0, 0, 0)


def _watch(module, path, named):
    owner, names = module, path.split(".")
    for name in names[:-1]:
        owner = getattr(owner, name)
    if not callable(getattr(owner, names[-1])):
        raise ValueError("%s is no function" % named)
    patch(owner, names[-1], lambda original: _asking(original, named), watch=False)


def _asking(original, named):
    def asked(*args, **kwargs):
        if rec.on:
            rec.guarded(_put, "call", named, texts_of(args, kwargs))
        return original(*args, **kwargs)

    return asked


def _tokenizers(module):
    base = module.PreTrainedTokenizerBase
    for name in ("__call__", "encode", "apply_chat_template"):
        if hasattr(base, name):
            patch(base, name, _tokenising, watch=False)


def _tokenising(original):
    def method(self, *args, **kwargs):
        if rec.on and not _inside[0]:
            rec.guarded(_wait, args, kwargs)
        return original(self, *args, **kwargs)

    return method


def _wait(args, kwargs):
    _waiting.extend(texts_of(args, kwargs))
    del _waiting[:-WAITING]


def _generation(module):
    patch(module.GenerationMixin, "generate", _generating, watch=False)


def _generating(original):
    def generate(self, *args, **kwargs):
        rows = []
        if rec.on and not _inside[0]:
            rows = rec.guarded(_generate, self, args, kwargs) or []
        result = original(self, *args, **kwargs)
        if rows:
            rec.guarded(_generated, rows, result)
        return result

    return generate


def _generate(model, args, kwargs):
    given = next((one for one in (*args, *kwargs.values()) if _is_ids(one)), None)
    if given is None:
        return []
    rows, length = int(given.shape[0]), int(given.shape[1])
    config = kwargs.get("generation_config") or getattr(model, "generation_config", None)
    each = kwargs.get("num_return_sequences") or getattr(config, "num_return_sequences", 1) or 1
    texts = _waiting[-rows:] if len(_waiting) >= rows else []
    del _waiting[:]
    what = "%s.generate" % type(model).__name__
    _put("tokenizer", what, texts, each=int(each), missed=rows - len(texts))
    return [what, rows, length]


def _is_ids(value):
    return len(getattr(value, "shape", ())) == 2 and "int" in str(getattr(value, "dtype", ""))


def _generated(rows, result):
    what, count, length = rows
    ids = getattr(result, "sequences", result)
    known = _state["tokenizer", what]
    known["rows"] += count
    known["tokens"] += count * length
    if _is_ids(ids) and int(ids.shape[1]) >= length:
        known["new"] += int(ids.shape[0]) * (int(ids.shape[1]) - length)


def _pipelines(module):
    patch(module.Pipeline, "__call__", _piping, watch=False)


def _piping(original):
    def __call__(self, *args, **kwargs):
        task = str(getattr(self, "task", ""))
        if not rec.on or _inside[0] or not any(word in task for word in TASKS):
            return original(self, *args, **kwargs)
        each = kwargs.get("num_return_sequences") or 1
        rec.guarded(_put, "pipeline", "pipeline %s" % task, texts_of(args, kwargs), each)
        _inside[0] += 1
        try:
            return original(self, *args, **kwargs)
        finally:
            _inside[0] -= 1

    return __call__


def texts_of(args, kwargs):
    """Return the texts of the first argument that holds any: one, a list, or chat messages."""
    for value in (*args, *[kwargs[name] for name in ARGUMENTS if name in kwargs]):
        found = _texts(value)
        if found:
            return found
    return []


def _texts(value):
    if isinstance(value, str):
        return [value]
    if not isinstance(value, (list, tuple)) or not value:
        return []
    if all(isinstance(one, dict) for one in value):
        said = [_message(one) for one in value]
        return ["\n".join(said)] if any(said) else []
    if all(isinstance(one, str) for one in value):
        return list(value)
    chats = [_texts(one) if isinstance(one, (list, tuple)) else [] for one in value]
    return [one[0] for one in chats] if all(len(one) == 1 for one in chats) else []


def _message(message):
    content = message.get("content")
    if isinstance(content, (list, tuple)):
        parts = [one.get("text") for one in content if isinstance(one, dict)]
        content = "\n".join(one for one in parts if isinstance(one, str))
    if not isinstance(content, str):
        return ""
    return "<|%s|>\n%s" % (message.get("role", "user"), content)


def _put(via, what, texts, each=1, missed=0):
    kept = 0
    for text in texts:
        if sum(one["kept"] for one in _state.values()) + kept < MOST:
            kept += bool(rec._write("prompts", _line(via, text, each)))
    _count(via, what, len(texts) + missed, kept, 1)


def _line(via, text, each):
    text = str.__str__(text)
    short = text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
    line = '{"v":%s,"k":%d,"n":%d,"w":%d,"h":"%016x","p":%s}\n' % (
        quote(via), each, len(text), len(text.split()), hash(text) & (1 << 64) - 1, quote(short),
    )  # fmt: skip
    return line.encode("ascii")


def _count(via, what, seen, kept, calls):
    if (via, what) not in _state and len(_state) >= 20:
        return
    known = _state.setdefault(
        (via, what),
        {"calls": 0, "seen": 0, "kept": 0, "rows": 0, "tokens": 0, "new": 0},
    )
    before = known["calls"]
    known["calls"] += calls
    known["seen"] += seen
    known["kept"] += kept
    if before.bit_length() != known["calls"].bit_length():
        _say(via, what, known)


def _tell():
    for (via, what), known in list(_state.items()):
        _say(via, what, known)


def _say(via, what, known):
    rec.event("prompts", via=via, what=what, **known)
