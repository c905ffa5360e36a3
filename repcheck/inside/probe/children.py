"""Whether a program that the artifact starts will have the probe in it."""

import os

LED_BY = []
"""The folder on PYTHONPATH that brings the probe in."""
BREAKS = (";", "&&", "||", "|", "&", "(", ")", "{", "}", "\n")
SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
OLD = ("python2", *("python3.%d" % minor for minor in range(8)))
WITH_VALUE = "WXQ"
"""Letters of Python's options that take the rest of the word or the next word."""


def plain_words(executable, words):
    """Return a command as a list of texts, however it was given."""
    if isinstance(words, (str, bytes)) or hasattr(words, "__fspath__"):
        words = [words]
    found = [_text(word) for word in words or ()]
    return found or [_text(executable)]


def why_unseen(executable, words, env):
    """Return why a Python so started runs without the probe; "" if it has it or is no Python."""
    name = _text(executable) if executable else (words[0] if words else "")
    if os.path.basename(name) in SHELLS and "-c" in words[1:3] and len(words) > 2:
        return _in_line(words[words.index("-c") + 1 :], env)
    if _is_python(name):
        words = [name, *words[1:]]
    return _in_words(words, _named(env))


def _named(env):
    if env is None:
        return dict(os.environ)
    try:
        return {_text(key): _text(value) for key, value in dict(env).items()}
    except (TypeError, ValueError):
        return dict(os.environ)


def _text(value):
    try:
        return os.fsdecode(value)
    except TypeError:
        return str(value)


def _is_python(word):
    name = os.path.basename(word)
    return name.rstrip("0123456789.dtm") in ("python", "pypy", "pythonw", "python.exe")


def _by_options(words):
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("-", "--") or not word.startswith("-"):
            return ""
        for at, letter in enumerate(word[1:] if not word.startswith("--") else "", 2):
            if letter in "IES":
                return "started with -%s" % letter
            if letter in "mc":
                return ""
            if letter in WITH_VALUE:
                left = left if word[at:] else left[1:]
                break
    return ""


def _by_environment(env):
    if not env.get("REPCHECK_PROBE_OUT"):
        return "its environment has no REPCHECK_PROBE_OUT"
    path = env.get("PYTHONPATH", "")
    if LED_BY[0] not in path.split(os.pathsep) and "$PYTHONPATH" not in path.replace("{", ""):
        return "its environment has another PYTHONPATH"
    return ""


def _in_line(line, env):
    text = line[0] if line else ""
    for mark in BREAKS:
        text = text.replace(mark, " \n ")
    env = _named(env)
    for command in text.split("\n"):
        why = _in_words([word.strip("'\"") for word in command.split(" ") if word], dict(env))
        if why:
            return why
    return ""


def _in_words(words, env):
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if equals and name.replace("_", "a").isalnum():
            env[name] = value.strip("'\"")
        elif _clears(words[:i], word):
            env = {}
        elif _is_python(word):
            return _by_age(word) or _by_options(words[i + 1 :]) or _by_environment(env)
    return ""


def _clears(before, word):
    if word in ("-", "-i", "--ignore-environment"):
        return bool(before) and os.path.basename(before[-1]) == "env"
    return os.path.basename(word) == "sudo"


def _by_age(word):
    name = os.path.basename(word)
    old = [name for prefix in OLD if name == prefix or name.startswith(prefix + ".")]
    return "%s is older than Python 3.8" % name if old else ""
