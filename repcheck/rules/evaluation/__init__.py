"""Evaluation: metrics, datasets, protocols, hardware, prompts, people (tricks 5.1-5.12)."""
