"""The 43 tricks of the "hzwer list", each with the question repcheck puts to a paper.

A report names every one of them: seen, excluded, or not judged and why.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trick:
    """One entry of the list; `number` 1.3 belongs to rule RC103."""

    number: str
    slug: str
    says: str

    @property
    def group(self) -> str:
        """Return the chapter it stands in."""
        return GROUPS[self.number[0]]

    @property
    def code(self) -> str:
        """Return the code of its first rule."""
        chapter, place = self.number.split(".")
        return f"RC{chapter}{int(place):02d}"


GROUPS = {
    "1": "Compute",
    "2": "Hyperparameters",
    "3": "Small modifications",
    "4": "Incremental design",
    "5": "Testing",
    "6": "Ultimate methods",
}

_LIST = (
    (
        "1.1",
        "batch-inflation",
        "Enlarge the batch size and pretend the iteration counts are aligned.",
    ),
    (
        "1.2",
        "hidden-epochs",
        "Train more epochs without saying so; report length in iterations when others use "
        "epochs, or vice versa, so the mismatch cannot be seen at a glance.",
    ),
    (
        "1.3",
        "repeated-samples",
        "Same number of epochs, but each sample is used several times, quietly passing over "
        "more data.",
    ),
    (
        "1.4",
        "less-downsampling",
        "Reduce downsampling so that compute multiplies, but compare parameters only.",
    ),
    (
        "1.5",
        "unreported-compute",
        "Pile up compute wherever the field does not look at FLOPs or parameters.",
    ),
    (
        "1.6",
        "glossed-component",
        "Mention the heavy component in passing and analyse the efficiency of the other "
        "components only.",
    ),
    (
        "1.7",
        "reparam-training-cost",
        "Use re-parameterisation to make the model huge and slow to train while comparing "
        "inference cost only.",
    ),
    (
        "1.8",
        "ema-ensemble-tta",
        "EMA / multi-model fusion for points; where possible self-distil too.",
    ),
    (
        "1.9",
        "tiny-training-set",
        "Choose a super-small training set so that only over-fitting has to be solved.",
    ),
    (
        "2.1",
        "lr-schedule-swap",
        "Switch cosine ↔ constant LR to obtain the wanted result (the tail of cosine gives "
        "a jump; decaying earlier makes training look efficient).",
    ),
    ("2.2", "lr-bias", "Raise own LR a little, lower the baseline's LR."),
    ("2.3", "magic-numbers", "Hide hyperparameters in the code as magic numbers."),
    ("2.4", "optimizer-knobs", "Optimizers have lots of hyperparameters to tune, too!"),
    ("2.5", "seed-picking", "Pick the random seed."),
    ("3.1", "activation-swap", "Replace every ReLU in the model by swish / leaky ReLU / PReLU."),
    (
        "3.2",
        "free-attention",
        "Quietly add SE layers everywhere — they basically always help; add cheap attention.",
    ),
    (
        "3.3",
        "learnable-resampling",
        "Replace parameter-free pooling/resize by learnable ones; every bit learnt is a bit "
        "gained.",
    ),
    (
        "3.4",
        "extra-skips",
        "Draw skip edges between modules at will; concatenating more features never hurts.",
    ),
    (
        "3.5",
        "norm-shuffle",
        "Add BN where there is none, remove it where there is; there are GN/IN/LN/WN to swap with.",
    ),
    (
        "3.6",
        "shift-targeted-augmentation",
        "Augment the training set to fit the train–test difference; change the training "
        "distribution.",
    ),
    (
        "4.1",
        "decorative-loss",
        "Add odd GAN losses or consistency losses — hard to say if they help, and formulas "
        "can be pasted.",
    ),
    (
        "4.2",
        "inflated-formalism",
        "Expand a technique others mention in a sentence, add magic formula transformations "
        "to fill half a page.",
    ),
    (
        "4.3",
        "zero-init-gate",
        "For a component x build a learnable β, initial 0, and add β·x; in the worst case "
        "β=0 leaves the model unchanged.",
    ),
    (
        "4.4",
        "gated-zoo",
        "Extend the previous: design a heap of components and add them all with learnable weights.",
    ),
    ("4.5", "nas-on-top", "Extend further: add a NAS."),
    (
        "4.6",
        "borrowed-pretraining",
        "Take pretrained parameters from another model: higher start, higher ceiling, equal "
        "to adding data and labels.",
    ),
    (
        "4.7",
        "fragile-training-recipe",
        "Very complicated curriculum learning, fancy distillation (features, features of "
        "features, cross-modal); if others cannot make it work, 'it needs tuning'.",
    ),
    (
        "4.8",
        "gratuitous-rl",
        "Useful or not, wrap it in a reinforcement-learning framework so the model has more "
        "'autonomy'.",
    ),
    ("5.1", "metric-selection", "Measure ten metrics, report the three that improved."),
    ("5.2", "dataset-selection", "Do ten datasets, throw away the five with no effect."),
    (
        "5.3",
        "sabotaged-protocol",
        "Deliberately mismatch the test procedure and others' training regime so the "
        "baseline is low — e.g. reverse RGB channels.",
    ),
    (
        "5.4",
        "metric-tampering",
        "Invent new metrics; alter metrics — e.g. PSNR on the Y channel compared with others' RGB.",
    ),
    (
        "5.5",
        "trivial-scenario",
        "Find a trivial scenario nobody considered and make enormous improvements there.",
    ),
    (
        "5.6",
        "weight-class-mismatch",
        "Large own model against others' small ones, not reporting others' large; model "
        "trained for a metric against ones that are not.",
    ),
    ("5.7", "mixed-hardware", "Measure speed on different hardware and report them together."),
    (
        "5.8",
        "prompt-tilt",
        "For recent large language models: slip hints into the test prompt; compare "
        "few-shot with zero-shot.",
    ),
    (
        "5.9",
        "test-set-overfit",
        "Overfit the test set in disguise: leak data, leak the random seed, put test "
        "samples into upstream pretraining.",
    ),
    (
        "5.10",
        "ood-credit-theft",
        "Add real scenes and OOD samples; the baseline drops; restore points with "
        "augmentation or dropout, credit the gain to something else.",
    ),
    (
        "5.11",
        "private-human-eval",
        "Private test set, human judging: any significance can be produced.",
    ),
    (
        "5.12",
        "cherry-picking",
        "If objective metrics lose, compare subjectively; if that loses, cherry-pick.",
    ),
    ("6.1", "renamed-method", "Copy someone's method and rename it."),
    ("6.2", "readme-only", "Report high performance; ask for the code and it is only a README."),
    (
        "6.3",
        "paper-without-experiments",
        "Write the paper directly without experiments, happening to be a bit above SOTA.",
    ),
)

TRICKS = tuple(Trick(number=number, slug=slug, says=says) for number, slug, says in _LIST)
