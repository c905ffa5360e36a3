"""Hyperparameters: schedules, rates, optimizers and seeds (tricks 2.1-2.5)."""
