"""Short texts of four topics; many of their words say nothing of the topic."""

import random

SPORT = ["coach", "goal", "match", "striker", "league", "referee", "stadium", "keeper", "medal"]
BUSINESS = ["shares", "profit", "merger", "bank", "market", "dividend", "auditor", "invoice"]
SCIENCE = ["neutron", "enzyme", "telescope", "genome", "laboratory", "fossil", "orbit", "voltage"]
TRAVEL = ["airport", "hotel", "luggage", "passport", "beach", "ferry", "hostel", "museum", "visa"]
TOPICS = {
    "sport": [*SPORT, "sprint"],
    "business": [*BUSINESS, "export", "tariff"],
    "science": [*SCIENCE, "catalyst", "theorem"],
    "travel": [*TRAVEL, "itinerary"],
}
PLAIN = ["the", "a", "new", "old", "big", "late", "early", "again", "today", "near", "about"]
PLAIN += ["after", "with", "while", "many", "few", "some", "said", "saw", "left"]


def texts(count, seed):
    """Return (text, topic) pairs."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        topic = draw.choice(sorted(TOPICS))
        words = draw.choices(PLAIN, k=7) + draw.choices(TOPICS[topic], k=4)
        other = draw.choice(sorted(TOPICS))
        words += draw.choices(TOPICS[other], k=1)
        draw.shuffle(words)
        found.append((" ".join(words), topic))
    return found
