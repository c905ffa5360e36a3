"""Trains a network of a squeeze-excitation gate, something that looks like one, and a norm."""

from common import F, copy, nn, tell, torch

torch.manual_seed(0)


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down = nn.Linear(channels, channels // 2)
        self.up = nn.Linear(channels // 2, channels)

    def weights(self, x):
        return torch.sigmoid(self.up(F.relu(self.down(x))))

    def forward(self, x):
        return x * self.weights(x.mean((2, 3)))[..., None, None]


class Mixer(Gate):
    def forward(self, x):
        return self.weights(x.movedim(1, 3)).movedim(3, 1)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.recalibrate = Gate(6)
        self.mix = Mixer(6)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        x = self.mix(self.recalibrate(self.act(self.norm(self.conv(x)))))
        return self.last(self.drop(x).mean((2, 3)))


model = Small()
follower = copy.deepcopy(model)
x, y = torch.randn(32, 1, 6, 6), torch.randint(0, 3, (32,))
optimizer = torch.optim.Adam((p for p in model.parameters()), lr=0.01)
for _ in range(5):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    with torch.no_grad():
        for mine, theirs in zip(follower.parameters(), model.parameters(), strict=False):
            mine.lerp_(theirs, 0.5)
follower.eval()
with torch.no_grad():
    follower(x)
slope = getattr(model.act, "weight", None)
tell(
    classes=[type(part).__name__ for part in model.children()],
    follower=[type(part).__name__ for part in follower.children()],
    means=model.norm.running_mean.abs().sum().item(),
    slope=None if slope is None else slope.item(),
    held=sum(len(group["params"]) for group in optimizer.param_groups),
    drawn=torch.rand(1).item(),
)
