"""scikit-learn alone: a scaler and a classifier fitted on 150 rows, 60 of them scored again."""

import json
import random
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

random.seed(5)
np.random.seed(5)
x = np.random.default_rng(5).normal(size=(150, 12))
y = (x[:, 0] > 0).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression())
model.fit(x, y)
Path("scores.json").write_text(json.dumps({"acc": model.score(x[:60], y[:60])}))
