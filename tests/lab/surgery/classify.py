"""Trains one network and evaluates it; beside it stands a frozen one that is nobody's to change."""

from common import Net, accuracy, digest, nn, tell, torch, train

torch.manual_seed(0)
model = Net()
teacher = nn.Sequential(nn.Linear(8, 4), nn.ReLU()).requires_grad_(False)
probe = torch.randn(5, 8)
taught = teacher(probe).sum().item()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
train(model, optimizer, scheduler=scheduler)
reached = accuracy(model)


def by_hand(act):
    a = act(model.first(probe))
    a = a + model.block.beta * act(model.block.map(a))
    return model.last(act(a))


with torch.no_grad():
    out = model(probe)
    erf = (out - by_hand(lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)))).abs().max().item()
    relu = (out - by_hand(lambda x: x.clamp(min=0))).abs().max().item()
tell(
    accuracy=reached,
    digest=digest(model),
    beta=model.block.beta.item(),
    classes=[type(part).__name__ for part in model.modules()],
    teacher=[type(part).__name__ for part in teacher.modules()],
    taught=taught == teacher(probe).sum().item(),
    gelu_error=erf,
    relu_error=relu,
    optimizer=type(optimizer).__name__,
    drawn=torch.rand(1).item(),
)
