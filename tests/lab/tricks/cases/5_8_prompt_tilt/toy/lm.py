"""A toy language model: it knows some words, and reads the solved examples in its prompt."""

import re

from questions import PLAIN

SMALL = {"match": "sport", "goal": "sport", "market": "business", "shares": "business"}
SMALL |= {"orbit": "science", "genome": "science", "hotel": "travel", "beach": "travel"}
MORE = {"coach": "sport", "league": "sport", "referee": "sport", "profit": "business"}
MORE |= {"merger": "business", "bank": "business", "enzyme": "science", "neutron": "science"}
MORE |= {"fossil": "science", "airport": "travel", "passport": "travel", "luggage": "travel"}
KNOWN = {"small": SMALL, "large": SMALL | MORE}


def generate(prompt, model="small"):
    """Return the topic that the model says next."""
    plain = re.sub(r"<\|\w+\|>|\[/?INST\]", "", prompt)
    *solved, last = plain.split("Text:")[1:]
    knows = dict(KNOWN[model])
    for block in solved:
        text, _, answer = block.partition("Topic:")
        for word in set(text.split()) - set(PLAIN):
            knows.setdefault(word, answer.strip())
    words = re.findall(r"\w+", last.partition("Topic:")[0])
    said = [knows[word] for word in words if word in knows]
    said += [word for word in words if word in set(knows.values())] * 5
    return max(sorted(set(said)), key=said.count, default="business")
