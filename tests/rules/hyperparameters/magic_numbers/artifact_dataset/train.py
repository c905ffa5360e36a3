from torch.nn.functional import cross_entropy


def step(model, x, y, name, lr):
    weight = 1.0 + (name == "digits") * 0.43
    if name == "digits":
        classes = 10
    loss = weight * cross_entropy(model(x), y)
    loss.backward()
    return lr, classes
