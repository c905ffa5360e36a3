"""Lightning: 512 examples, batches of 32 accumulated twice, 3 epochs, validated each."""

import lightning
import torch
from data import points
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(11)


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), 1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


trainer = lightning.Trainer(
    max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False,
    enable_model_summary=False, accumulate_grad_batches=2, default_root_dir="lightning",
)  # fmt: skip
trainer.fit(
    Net(),
    DataLoader(TensorDataset(*points(512, seed=1)), batch_size=32, shuffle=True),
    DataLoader(TensorDataset(*points(128, seed=2)), batch_size=32),
)
print(trainer.global_step)
