"""From what training hands over to the file that users get: the best of several seeds, tested, its neurons in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model import evaluation, judgement, network_file, reference
from bs4nn_tc.model.evaluation import Figures
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.loop import TrainingResult
from bs4nn_tc.training.ordering import order_neurons
from bs4nn_tc.training.run_folder import save_summary


@dataclass(frozen=True)
class Published:
    """What was written, and what is to be told of it.

    Attributes:
        network: as it is in the file.
        result: of the run that it comes from.
        figures: on the test images.
        of_seeds: the same, one a seed.
        spread: over the seeds, see `evaluation.spread`.
        eight_bit: figures on the test images with weights of 8 bits, of a network with real weights.
        warnings: what is badly wrong with it, see `judgement`.
    """

    network: Network | RealNetwork
    result: TrainingResult
    figures: Figures
    of_seeds: list[Figures]
    spread: dict[str, dict[str, float]]
    eight_bit: Figures | None
    warnings: list[str]


def publish(
    results: Sequence[TrainingResult], seeds: Sequence[int], dataset: Dataset, folder: Path, out: Path
) -> Published:
    """Test networks that were trained alike, and write the one that is best on the validation images to a file.

    Args:
        results: one a seed.
        seeds: theirs.
        dataset: what they learned from.
        folder: of the run, which gets a summary where there are several.
        out: the network file.

    Raises:
        UserError: the disk is full or a folder cannot be written.
    """
    tests = [_test(one.network, dataset) for one in results]
    figures = [one for one, _ in tests]
    spread = evaluation.spread(figures)
    # With all_images there is one network and no figure to choose it by.
    chosen = max(range(len(results)), key=lambda number: results[number].validation.get("strict_accuracy", 0.0))
    result = results[chosen]
    facts = {**result.network.description, "test": evaluation.rounded(figures[chosen].as_dict())}
    if len(results) > 1:
        facts["test_over_seeds"] = spread
        save_summary(folder, seeds, [one.validation for one in results], [one.as_dict() for one in figures], spread)
    network = replace(result.network, description=facts)
    eight_bit = None
    if isinstance(network, Network):
        network = order_neurons(network, dataset.for_network(network).train_images)
        network_file.save(network, out)
    else:
        eight_bit = _test(network.eight_bit(), dataset)[0]
        network = replace(network, description={**facts, "test_8bit": eight_bit.as_dict()})
        network.save(out)
    warnings = judgement.warnings({"validation images": result.judged, "test images": tests[chosen][1]})
    return Published(network, result, figures[chosen], figures, spread, eight_bit, warnings)


def publish_changed(network: Network, validation: dict[str, float], dataset: Dataset, out: Path) -> Network:
    """Test a trained network whose thresholds have moved, and write it to a file; returns it as it is there.

    Args:
        network: as it is now.
        validation: its figures on the validation images.
        dataset: what it learned from.
        out: the network file.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    test = evaluation.rounded(_test(network, dataset)[0].as_dict())
    of_validation = {} if network.knows_validation_images else validation
    network = replace(network, description={**network.description, "validation": of_validation, "test": test})
    network = order_neurons(network, dataset.for_network(network).train_images)
    network_file.save(network, out)
    return network


def _test(network: Network | RealNetwork, dataset: Dataset) -> tuple[Figures, dict[str, str]]:
    """Figures on the test images, and what is badly wrong there: a network by the reference, S4NN on the host."""
    dataset = dataset.for_network(network)
    if isinstance(network, Network):
        result = reference.run(network, dataset.test_images)
        silent = result.response_time == network.time_steps
        judged = judgement.judge(result.answer, dataset.test_labels, silent, dataset.class_names)
        return evaluation.figures(network, result, dataset.test_labels), judged
    labels = dataset.test_labels.astype(np.int32)
    answers = RealHost(network).evaluate(np.ascontiguousarray(dataset.test_images), labels)
    silent = answers.response_time == network.time_steps
    figures = answers.figures(labels, network.time_steps)
    return figures, judgement.judge(answers.answer, labels, silent, dataset.class_names)
