"""The training loop that all recipes share: epochs, validation, checkpoints, the choice at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bs4nn_tc
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.network import HostAnswers, host_network
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model import evaluation, judgement
from bs4nn_tc.model.evaluation import Figures
from bs4nn_tc.model.judgement import Finding
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training import gate, health
from bs4nn_tc.training.best import BestTrainer
from bs4nn_tc.training.options import BestOptions, Options, S4nnOptions
from bs4nn_tc.training.paper import PaperTrainer
from bs4nn_tc.training.run_folder import COMMAND, History, RunFolder
from bs4nn_tc.training.s4nn import S4nnTrainer
from bs4nn_tc.training.tensorboard import Scalars, writer_class
from bs4nn_tc.training.trainer import Progress, Trainer


def run_config(dataset: Dataset, options: Options) -> dict[str, Any]:
    """What a run is made of, as `RunFolder` keeps it: runs in which it is the same come to the same network."""
    return {**asdict(options), "dataset": dataset.name, "data": dataset.training_digest}


@dataclass(frozen=True)
class Report:
    """Told to whoever watches, after every piece and every epoch.

    Attributes:
        epoch: the epoch at hand, from 0.
        epochs: of the run.
        done: share of the epoch that is done.
        row: the figures of the last finished epoch, if there is one.
        held_out: they are of images that are not learned from.
    """

    epoch: int
    epochs: int
    done: float
    row: dict[str, float] | None
    held_out: bool


@dataclass(frozen=True)
class TrainingResult:
    """What training hands over.

    Attributes:
        network: the network of the best epoch, with "best" its output threshold chosen on the validation images.
        rows: the figures of every epoch.
        best_epoch: number of the best epoch, from 0.
        learned: its figures on the images that were learned from.
        held_out: its figures on the validation images; None if they were learned from.
        judged: what is wrong on the validation images, see `judgement.judge`.
    """

    network: Network | RealNetwork
    rows: list[dict[str, float]]
    best_epoch: int
    learned: Figures
    held_out: Figures | None
    judged: tuple[Finding, ...]

    @property
    def validation(self) -> dict[str, float]:
        """The figures on the validation images that networks are chosen by; empty if they were learned from."""
        return {} if self.held_out is None else self.held_out.to_choose_by()


def train(
    dataset: Dataset,
    options: Options,
    folder: Path,
    resume: bool = False,
    on_report: Callable[[Report], None] | None = None,
    tensorboard: bool = False,
    command: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train a network, or go on with a run that was interrupted.

    Learns from `dataset.training()`, chooses by `dataset.validation()`, never looks at the test images. With
    `options.all_images`, for the last run of a recipe that has been chosen, it learns from both and chooses nothing:
    the network is that of the last epoch, with the output threshold of the options. A run that is interrupted and
    resumed ends with the same bits as one that is not.

    Args:
        dataset: images and labels.
        options: the recipe and its values.
        folder: the run's folder, see `run_folder`.
        resume: go on with the run in `folder`.
        on_report: called after every piece of an epoch.
        tensorboard: write the figures of every epoch for TensorBoard, too.
        command: what else the run was asked for; kept in its folder for whoever goes on with it.

    Raises:
        UserError: a folder that holds something else, a full disk, or learning that has come to nothing.
        VerificationError: the compiled code computes something else than the reference.
        MissingToolError: no C compiler, or no tensorboardX where it is wanted.
        KeyboardInterrupt: Ctrl-C; everything that was learned is on disk.
    """
    if tensorboard:
        writer_class()  # before a folder is made for nothing
    trainer = _trainer(dataset, options)
    run = RunFolder(folder, {**run_config(dataset, options), COMMAND: dict(command or {})}, resume)
    progress, history = run.load_checkpoint(trainer.arrays())
    images, labels = _validation(dataset)
    learned = len(dataset.train_images if options.all_images else dataset.training()[0])

    def report(done: float) -> None:
        if on_report is not None:
            row = history.rows[-1] if history.rows else None
            on_report(Report(progress.epoch, trainer.epochs, done, row, not options.all_images))

    with interruptible() as interrupted, contextlib.ExitStack() as open_files:
        scalars = None
        if tensorboard:
            scalars = open_files.enter_context(contextlib.closing(Scalars(folder, progress.epoch)))
        while progress.epoch < trainer.epochs:
            started = time.monotonic()
            while progress.piece < trainer.pieces:
                trainer.learn(progress)
                progress.piece += 1
                report(progress.piece / trainer.pieces)
                if interrupted():
                    health.check_numbers(progress, trainer)  # a checkpoint of what is no number could not be read
                    progress.seconds += time.monotonic() - started
                    run.save_checkpoint(progress, history, trainer.arrays())
                    raise KeyboardInterrupt
            health.check_numbers(progress, trainer)
            answers = trainer.host.evaluate(images, labels)
            health.check_alive(answers, progress, trainer, images)
            progress.seconds += time.monotonic() - started
            row = _row(progress, answers, trainer, labels, learned)
            is_last = progress.epoch + 1 == trainer.epochs
            history.rows.append(row)
            run.save_rows(history.rows)
            if scalars is not None:
                scalars.add(row)
            if is_last if options.all_images else row["strict_accuracy"] > history.best_accuracy:
                history.best_accuracy, history.best_epoch = row["strict_accuracy"], progress.epoch
                network = trainer.network(_description(options, progress.epoch))
                run.save_best(_with_data(network, dataset, options), trainer.arrays())
            progress = Progress(epoch=progress.epoch + 1)
            run.save_checkpoint(progress, history, trainer.arrays())

    best = run.load_best(images.shape[1], len(dataset.class_names))
    return _hand_over(best, options, dataset, history)


def _hand_over(best: Network | RealNetwork, options: Options, dataset: Dataset, history: History) -> TrainingResult:
    """The network as users get it: its output threshold chosen, its figures described, checked."""
    taken = dataset.for_network(best)
    images, labels = _validation(taken)
    if isinstance(options, BestOptions) and not options.all_images:
        assert isinstance(best, Network)
        best = choose_output_threshold(best, images, labels, options.max_silent)
    elif isinstance(options, BestOptions) and options.last_threshold:
        assert isinstance(best, Network)
        best = replace(best, layers=(*best.layers[:-1], best.layers[-1].with_thresholds(options.last_threshold)))
    host = RealHost(best) if isinstance(best, RealNetwork) else host_network(best)
    held_out: Figures | None = None
    judged: tuple[Finding, ...] = ()
    if not options.all_images:
        answers = host.evaluate(images, labels)
        held_out = answers.figures(labels, best.time_steps)
        silent = answers.response_time == best.time_steps
        judged = judgement.judge(answers.answer, labels, silent, dataset.class_names)
    to_choose_by = {} if held_out is None else held_out.to_choose_by()
    facts = {**best.description, "validation": evaluation.rounded(to_choose_by)}
    best = replace(_with_data(best, dataset, options), description=facts)
    gate.check(best, images, labels, options)
    known, known_labels = _as_c_takes(
        (taken.train_images, taken.train_labels) if options.all_images else taken.training()
    )
    learned = host.evaluate(known, known_labels).figures(known_labels, best.time_steps)
    return TrainingResult(best, history.rows, history.best_epoch, learned, held_out, judged)


def _validation(dataset: Dataset) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The validation images and labels as the C code takes them."""
    return _as_c_takes(dataset.validation())


def _as_c_takes(part: tuple[NDArray[Any], NDArray[np.int64]]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Images and labels in one piece, labels of 32 bits."""
    return np.ascontiguousarray(part[0]), part[1].astype(np.int32)


def _trainer(dataset: Dataset, options: Options) -> Trainer:
    if isinstance(options, BestOptions):
        return BestTrainer(dataset, options)
    if isinstance(options, S4nnOptions):
        return S4nnTrainer(dataset, options)
    return PaperTrainer(dataset, options)


def choose_output_threshold(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.int32], max_silent: float
) -> Network:
    """The output threshold with the highest strict accuracy on these images, not too many of them silent.

    A higher threshold decides later and better, but on more images nobody fires; a network that never
    spikes would be a plain binary network. The trained threshold stays unless an allowed one is better.

    Args:
        network: a trained network.
        images: (N, inputs) uint8, the validation images.
        labels: (N,) int32.
        max_silent: the largest silent share that may be chosen; where even the lowest threshold of the sweep has
            a larger one, that threshold is taken.
    """
    host = host_network(network)
    trained = int(network.layers[-1].thresholds[0])
    best, best_accuracy = trained, -1.0
    for threshold in [trained, *range(max(1, trained // 2), trained * 2 + 1)]:
        host.thresholds[-1][:] = threshold
        figures = host.evaluate(images, labels).figures(labels, network.time_steps)
        allowed = threshold == trained or figures.silent_share <= max_silent
        if allowed and figures.strict_accuracy > best_accuracy:
            best, best_accuracy = threshold, figures.strict_accuracy
    layers = (*network.layers[:-1], network.layers[-1].with_thresholds(best))
    return replace(network, layers=layers)


def _row(
    progress: Progress, answers: HostAnswers, trainer: Trainer, labels: NDArray[np.int32], learned: int
) -> dict[str, float]:
    figures = answers.figures(labels, trainer.host.time_steps)
    return {
        "epoch": progress.epoch + 1,
        "loss": progress.loss / learned,
        **figures.to_choose_by(),
        "spikes_to_decision": figures.spikes_to_decision,
        "sign_flips": progress.flips,
        "dead_neurons": int((answers.fired == 0).sum()),
        "seconds": round(progress.seconds, 3),
    }


def _description(options: Options, epoch: int) -> dict[str, Any]:
    return {
        "tool": f"bs4nn-tc {bs4nn_tc.__version__}",
        "recipe": options.recipe,
        "seed": options.seed,
        "epochs": options.epochs,
        "best_epoch": epoch + 1,
    }


def _with_data(network: Network | RealNetwork, dataset: Dataset, options: Options) -> Network | RealNetwork:
    """The network, which says what it has learned."""
    if isinstance(network, RealNetwork):
        shape, names = list(dataset.image_shape), list(dataset.class_names)
        facts = {"dataset": dataset.name, "image_shape": shape, "class_names": names}
        return replace(network, description={**network.description, **facts})
    data = TrainedOn(
        dataset.name,
        dataset.training_digest,
        dataset.polarity,
        options.all_images,
        dataset.split_digest,
        dataset.reading,
    )
    return replace(network, class_names=dataset.class_names, data=data)
