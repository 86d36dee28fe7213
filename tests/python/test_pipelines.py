"""Random pipelines of input stages: Python, the naive simulator and the C that ships make the same values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import naive_stages
import numpy as np
import pipelines
import pytest

from bs4nn_tc.device.codegen.stage_kinds import IN_C
from bs4nn_tc.model.stages import STAGES

PIPELINES = 2000


def test_every_kind_is_drawn_judged_and_in_c() -> None:
    assert set(STAGES) == set(pipelines.DRAWN) == set(naive_stages.STAGES) == set(IN_C)


@pytest.fixture(scope="module")
def drawn() -> list[pipelines.Pipeline]:
    rng = np.random.default_rng(22)
    return [*(pipelines.drawn_pipeline(rng) for _ in range(PIPELINES)), *pipelines.loudest()]


def test_python_the_naive_simulator_and_c_make_the_same(drawn: list[pipelines.Pipeline], tmp_path: Path) -> None:
    """Of every sample, after every stage; C with memory of the exact sizes, under the sanitizers."""
    for pipeline, answers in zip(drawn, pipelines.in_c(drawn, tmp_path), strict=True):
        samples = pipeline.samples
        judged = [
            naive_stages.Sample(one.tolist(), pipeline.passed[0].shape, pipeline.passed[0].highest) for one in samples
        ]
        for stage, values, after, answer in zip(
            pipeline.stages, pipeline.passed, pipeline.passed[1:], answers, strict=False
        ):
            samples = stage.apply(samples, values)
            judged = [naive_stages.STAGES[stage.kind](stage, one) for one in judged]
            said = (stage, values)
            assert samples.dtype == after.dtype, said
            assert samples.flags.c_contiguous, said
            assert samples.tolist() == [one.values for one in judged], said
            assert {one.shape for one in judged} == {after.shape}, said
            assert after.lowest <= samples.min(), said
            assert samples.max() <= after.highest, said
            assert np.array_equal(answer, samples), said


def test_the_pipelines_are_what_they_should_be(drawn: list[pipelines.Pipeline]) -> None:
    """Each kind often, alone and behind others, of both types, with one feature, one a channel and one a value."""
    kinds = Counter(stage.kind for pipeline in drawn for stage in pipeline.stages)
    assert min(kinds[kind] for kind in STAGES) >= 20, kinds
    assert Counter(len(pipeline.stages) for pipeline in drawn).keys() == {1, 2, 3, 4}
    assert {values.type for pipeline in drawn for values in pipeline.passed} == {"uint8", "int16"}
