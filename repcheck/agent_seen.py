"""What language models were asked and what policies decided; parts of an `Observation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSlot:
    """A place of the prompts that is filled with one word: what stands before it and after it.

    `words` holds the word of each prompt, in their order, "" where the place is not there.
    """

    before: str
    after: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsSeen:
    """How a language model was asked in one run.

    `via` says where it was seen: a call of the function `what`, a pipeline, or what was tokenised
    before a generation. `count` are all prompts, `kept` those whose text was written down, `lost`
    those whose text is gone though it was, `unique` the different ones among the kept. `samples` is
    the median of the answers asked for each (by the same prompt again, or at once), `shots` the
    median of the solved examples in a prompt, `words` and `tokens` the medians of a prompt's
    length. `prefix` and `suffix` are what all prompts begin and end with, without markup of chats
    and without solved examples, cut at 1,000 characters.
    `questions` are digests of the rest of each kept prompt, in their order where `ordered`, and
    `ends` of its first and its last six words, as `first:last`;
    `exemplars` are the different solved examples, `exemplars_asked` those among them whose question
    another prompt asks. `count` 0 says that the function was never called.
    """

    via: Literal["call", "pipeline", "tokenizer"]
    what: str
    count: int = 0
    kept: int = 0
    lost: int = 0
    unique: int = 0
    samples: float = 1.0
    shots: int = 0
    shots_most: int = 0
    words: float = 0.0
    tokens: float | None = None
    prefix: str = ""
    suffix: str = ""
    questions: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    slots: tuple[PromptSlot, ...] = ()
    exemplars: int = 0
    exemplars_asked: int = 0
    ordered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySeen:
    """What one policy decided, as drawn from its probabilities.

    `total` counts all decisions; `n` those that the rest is of: all after the last optimizer step
    (`frozen`), else the last ones. `drawn` counts each action. `entropy` is the mean entropy of the
    probabilities, `marginal` the entropy of their mean, in bits. `information` is what the state
    tells of the action in bits (their difference while the policy is one), of `information_n`
    decisions; None where the policy changed with each decision. `scored` says that the log
    probability of an action was asked for, as a policy gradient does.
    """

    via: str
    actions: int
    total: int
    n: int
    drawn: tuple[int, ...]
    entropy: float
    marginal: float
    information: float | None = None
    information_n: int = 0
    frozen: bool = False
    scored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetsSeen:
    """One line of the artifact that reset environments of a class with seeds.

    `seeds` are ranges, both ends included; `cut` says that some are missing. `during` tells that it
    was reached before the last optimizer step, `after` that it was reached after it.
    """

    site: str
    cls: str
    count: int
    seeds: tuple[tuple[int, int], ...]
    cut: bool = False
    during: bool = False
    after: bool = False
