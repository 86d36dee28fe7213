"""How samples are held out: whole groups, every class, the same every time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bs4nn_tc.data import splits
from bs4nn_tc.data.dataset import Dataset

pytestmark = pytest.mark.bounds


def sorted_set(per_class: int, groups: np.ndarray | None = None, classes: int = 3) -> Dataset:
    labels = np.repeat(np.arange(classes), per_class)
    images = (np.arange(len(labels) * 2) % 251).astype(np.uint8).reshape(-1, 2)
    names = tuple("abcdefg"[:classes])
    return Dataset(
        "s", images, labels, images[::7], labels[::7], (1, 2), 255, names, groups=groups, stratified=groups is None
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=80), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_groups_are_left_whole_and_no_class_is_lost(pairs: list[tuple[int, int]], parts: int) -> None:
    labels, groups = (np.array(one, np.int64) for one in zip(*pairs, strict=True))
    of_class = {label: {g for one, g in pairs if one == label} for label in labels.tolist()}
    chosen = splits.held_out(labels, groups, parts)
    assert np.array_equal(chosen, splits.held_out(labels, groups, parts))
    for label in of_class:
        if (labels == label).sum() > 1:
            assert 0 < chosen[labels == label].sum() < (labels == label).sum()
    if min(map(len, of_class.values())) >= 2 and len(set(groups[chosen]) & set(groups[~chosen])):
        assert len(of_class) > 1  # torn, for no part had all classes
    for learned, validation in splits.folds(labels, groups):
        assert sorted([*learned, *validation]) == list(range(len(labels)))
        if min(map(len, of_class.values())) >= 2:
            assert not set(groups[learned]) & set(groups[validation])


def test_four_speakers_who_say_everything_are_held_out_one_by_one() -> None:
    data = sorted_set(40, np.tile(np.arange(4), 30))
    seen = [set(data.groups[chosen].tolist()) for _, chosen in data.folds()]
    assert sorted(map(sorted, seen)) == [[0], [1], [2], [3]]
    _, labels = data.validation()
    assert np.bincount(labels).tolist() == [10, 10, 10]


def test_recordings_that_have_one_class_each_are_held_out_in_every_class() -> None:
    # Three recordings of each class, of very different length: none may be torn apart.
    groups = np.repeat(np.arange(9), [1, 5, 14, 2, 9, 9, 6, 7, 7])
    data = sorted_set(20, groups)
    learned, chosen = (set(groups[part].tolist()) for part in data._split)
    assert not learned & chosen
    assert all({group // 3 for group in part} == {0, 1, 2} for part in (learned, chosen))
    assert chosen == {0, 3, 6}  # 9 of 60 samples, the nearest to a sixth


def test_a_larger_part_is_held_out_where_small_ones_lack_a_class() -> None:
    # No group says everything, but two and two together do.
    labels, groups = np.array([2, 1, 2, 0, 0, 1, 0, 1]), np.array([0, 0, 3, 3, 4, 4, 2, 2])
    chosen = splits.held_out(labels, groups, 6)
    assert not set(groups[chosen].tolist()) & set(groups[~chosen].tolist())
    assert set(labels[chosen].tolist()) == set(labels[~chosen].tolist()) == {0, 1, 2}


def test_without_groups_every_class_gives_its_share() -> None:
    data = sorted_set(60)
    assert np.bincount(data.validation()[1]).tolist() == [10, 10, 10]
    places = np.arange(180)[data._split[1]]
    assert np.unique(np.diff(places)).size > 5  # drawn, not the last ones of each class


def test_few_samples_are_validated_by_several_folds_and_many_are_not() -> None:
    few, many = sorted_set(60), sorted_set(300)
    assert len(few.folds()) == 5
    assert sorted(np.concatenate([chosen for _, chosen in few.folds()])) == list(range(180))
    ((learned, chosen),) = many.folds()
    assert (len(learned), len(chosen)) == (750, 150)
    own = dataclasses.replace(few, validation_count=30)
    assert len(own.folds()) == 1


def test_four_samples_of_a_class_are_enough() -> None:
    data = sorted_set(4)
    assert np.bincount(data.validation()[1]).tolist() == [1, 1, 1]
    assert len(data.folds()) == 4


def test_the_digest_of_a_split_tells_other_test_samples_and_other_validation_samples() -> None:
    data = sorted_set(60)
    assert data.split_digest == sorted_set(60).split_digest
    other = dataclasses.replace(data, test_images=data.test_images[::-1].copy())
    last = dataclasses.replace(data, stratified=False)
    assert len({data.split_digest, other.split_digest, last.split_digest}) == 3
