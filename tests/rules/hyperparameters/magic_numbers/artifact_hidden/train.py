import torch
from losses import loss_of


def train(model, batches, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(epochs):
        if epoch > 7:
            for group in optimizer.param_groups:
                group["lr"] *= 0.31
        for x, y in batches:
            optimizer.zero_grad()
            loss_of(model, x, y).backward()
            optimizer.step()
