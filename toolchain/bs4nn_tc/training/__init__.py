"""Training: proxy weights to a deployable network, by compiled event-driven code, without torch.

`train` is the way in. A recipe is an options class in `options` and a trainer beside it (`best`, `paper`, `s4nn`);
everything that recipes share is in `loop` and `run_folder`.
"""

from bs4nn_tc.training.loop import Report, TrainingResult, run_config, train
from bs4nn_tc.training.options import (
    BestOptions,
    Options,
    PaperOptions,
    S4nnOptions,
    best_defaults,
    resolve,
    settings_of,
)
from bs4nn_tc.training.run_folder import CHECKPOINT, CONFIG, first_difference, read_config

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "BestOptions",
    "Options",
    "PaperOptions",
    "Report",
    "S4nnOptions",
    "TrainingResult",
    "best_defaults",
    "first_difference",
    "read_config",
    "resolve",
    "run_config",
    "settings_of",
    "train",
]
