"""A small Trainer: 120 examples, batches of 10 accumulated twice, 3 epochs, clipped, best kept."""

import copy

import torch
from data import points
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model, accumulate=2):
        self.model, self.accumulate, self.best, self.kept = model, accumulate, -1.0, None
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def fit(self, train, val, epochs):
        for _ in range(epochs):
            self.model.train()
            for i, (x, y) in enumerate(train, 1):
                loss = nn.functional.cross_entropy(self.model(x), y) / self.accumulate
                loss.backward()
                if i % self.accumulate == 0:
                    nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                    self.optimizer.step()
                    self.optimizer.zero_grad()
            score = self.score(val)
            if score > self.best:
                self.best, self.kept = score, copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(self.kept)

    def score(self, loader):
        self.model.eval()
        with torch.no_grad():
            right = sum(int((self.model(x).argmax(1) == y).sum()) for x, y in loader)
        return right / len(loader.dataset)


torch.manual_seed(0)
trainer = Trainer(nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2)))
loaders = [
    DataLoader(TensorDataset(*points(n, seed=n)), batch_size=10, shuffle=n == 120)
    for n in (120, 40, 60)
]
trainer.fit(*loaders[:2], epochs=3)
print(trainer.score(loaders[2]))
