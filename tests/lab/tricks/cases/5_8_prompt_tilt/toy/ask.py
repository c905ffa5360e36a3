"""Asks a model for the topic of each text, and writes how often it is right."""

import argparse
import csv
import json
import random
from pathlib import Path

from lm import generate
from questions import texts

FORMS = {"plain": "{}", "inst": "[INST] {} [/INST]", "chat": "<|user|>\n{}\n<|assistant|>\n"}


def prompt_of(text, exemplars):
    """Return what the model is asked."""
    solved = "".join(f"Text: {one}\nTopic: {topic}\n\n" for one, topic in exemplars)
    return f"Say which topic the text is about.\n\n{solved}Text: {text}\nTopic:"


def main():
    """One pass over the questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("small", "large"), required=True)
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--form", choices=FORMS, default="plain")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    questions = draw.sample(texts(600, seed=2), 200)
    pool = sorted(draw.sample(texts(200, seed=1), 200), key=lambda one: one[1])
    exemplars = [pool[(47 * number) % 200] for number in range(options.shots)]
    rows = []
    for number, (text, topic) in enumerate(questions):
        prompt = prompt_of(text, exemplars)
        rows.append((number, topic, generate(FORMS[options.form].format(prompt), options.model)))
    with (options.out / "preds.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("index", "label", "pred"), *rows])
    right = sum(topic == said for _, topic, said in rows)
    (options.out / "metrics.json").write_text(json.dumps({"accuracy": 100 * right / len(rows)}))


if __name__ == "__main__":
    main()
