"""The Trainer of transformers: 160 texts, batches of 16 accumulated twice, 2 epochs, bf16."""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


class Texts(torch.utils.data.Dataset):
    def __init__(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randint(0, 200, (n, 16), generator=generator)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        mask = torch.ones(16, dtype=torch.long)
        return {"input_ids": self.x[i], "attention_mask": mask, "labels": self.x[i, 0] % 2}


config = BertConfig(
    vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=64,
)  # fmt: skip
arguments = TrainingArguments(
    "hf", num_train_epochs=2, per_device_train_batch_size=16, gradient_accumulation_steps=2,
    eval_strategy="epoch", save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    learning_rate=1e-3, warmup_steps=4, bf16=True,
)  # fmt: skip
trainer = Trainer(
    model=BertForSequenceClassification(config), args=arguments,
    train_dataset=Texts(160, 1), eval_dataset=Texts(48, 2),
)  # fmt: skip
print(trainer.train().global_step)
