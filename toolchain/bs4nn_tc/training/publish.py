"""From what training hands over to the file that users get: the best of several seeds, tested, its neurons in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model import evaluation, judgement, network_file, reference
from bs4nn_tc.model.confusion import Confusion
from bs4nn_tc.model.evaluation import Figures
from bs4nn_tc.model.judgement import Finding
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.loop import TrainingResult
from bs4nn_tc.training.ordering import order_neurons
from bs4nn_tc.training.run_folder import save_summary


@dataclass(frozen=True)
class Tested:
    """What a network answers on the test images.

    Attributes:
        figures: on them.
        confusion: right classes and answers.
        judged: what is wrong there, see `judgement.judge`.
    """

    figures: Figures
    confusion: Confusion
    judged: tuple[Finding, ...]


@dataclass(frozen=True)
class Published:
    """What was written, and what is to be told of it.

    Attributes:
        network: as it is in the file.
        result: of the run that it comes from.
        tested: on the test images.
        of_seeds: the same, one a seed.
        spread: over the seeds, see `evaluation.spread`.
        eight_bit: figures on the test images with weights of 8 bits, of a network with real weights.
        findings: what is wrong with it, see `judgement`.
        class_names: of the data set.
    """

    network: Network | RealNetwork
    result: TrainingResult
    tested: Tested
    of_seeds: list[Tested]
    spread: dict[str, dict[str, float]]
    eight_bit: Figures | None
    findings: tuple[Finding, ...]
    class_names: tuple[str, ...]


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
    figures = [one.figures for one in tests]
    spread = evaluation.spread(figures)
    # With all_images there is one network and no figure to choose it by.
    chosen = max(range(len(results)), key=lambda number: results[number].validation.get("strict_accuracy", 0.0))
    result = results[chosen]
    findings = _findings(result, tests[chosen])
    facts = {**result.network.description, **_facts(tests[chosen], findings)}
    if len(results) > 1:
        facts["test_over_seeds"] = spread
        save_summary(folder, seeds, [one.validation for one in results], [one.as_dict() for one in figures], spread)
    network = replace(result.network, description=facts)
    eight_bit = None
    if isinstance(network, Network):
        network = order_neurons(network, dataset.for_network(network).train_images)
        network_file.save(network, out)
    else:
        eight_bit = _test(network.eight_bit(), dataset).figures
        network = replace(network, description={**facts, "test_8bit": eight_bit.as_dict()})
        network.save(out)
    return Published(network, result, tests[chosen], tests, spread, eight_bit, findings, dataset.class_names)


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
    tested = _test(network, dataset)
    of_validation = {} if network.knows_validation_images else validation
    facts = {**_facts(tested, judgement.told({"test images": tested.judged})), "validation": of_validation}
    network = replace(network, description={**network.description, **facts})
    network = order_neurons(network, dataset.for_network(network).train_images)
    network_file.save(network, out)
    return network


def _findings(result: TrainingResult, tested: Tested) -> tuple[Finding, ...]:
    """What is wrong with a network; what is wrong on the test images decides whether it fails."""
    judged = judgement.told({"test images": tested.judged, "validation images": result.judged})
    return (*judged, *judgement.compare(result.learned, result.held_out, tested.figures))


def _facts(tested: Tested, findings: Sequence[Finding]) -> dict[str, Any]:
    """What the network's file says of the test images."""
    return {
        "test": evaluation.rounded(tested.figures.as_dict()),
        "warnings": [finding.text for finding in findings],
    }


def _test(network: Network | RealNetwork, dataset: Dataset) -> Tested:
    """Run on the test images: a network by the reference, S4NN on the host."""
    dataset = dataset.for_network(network)
    labels, names = dataset.test_labels, dataset.class_names
    answers: reference.Answers
    if isinstance(network, Network):
        answers = result = reference.run(network, dataset.test_images)
        figures = evaluation.figures(network, result, labels)
    else:
        few_bits = labels.astype(np.int32)
        answers = of_host = RealHost(network).evaluate(np.ascontiguousarray(dataset.test_images), few_bits)
        figures = of_host.figures(few_bits, network.time_steps)
    judged = judgement.judge(answers.answer, labels, answers.response_time == network.time_steps, names)
    return Tested(figures, Confusion(labels, answers.answer, len(names)), judged)
