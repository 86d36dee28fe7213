"""What is chosen by the data: codings for values that mean nothing as they come, the same again, and after Ctrl-C."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import codings
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.model.stages import Values
from bs4nn_tc.training import augmentation, choice, trials

pytestmark = pytest.mark.bounds


def signed(count: int = 100) -> Dataset:
    """Eight values around 0; which of two classes a sample is shows in the sign of half of them alone."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    samples = rng.normal(0, 3000, (count, 8))
    samples[:, :4] = np.abs(samples[:, :4]) * np.where(labels, 1, -1)[:, None]
    whole = samples.round().clip(-32768, 32767).astype(np.int16)
    cut = count * 3 // 4
    return Dataset("signed", whole[:cut], labels[:cut], whole[cut:], labels[cut:], (8,), 255, ("-", "+"))


def wanted(coding: str | None = None, epochs: int = 12, settings: tuple[str, ...] = ()) -> choice.Wanted:
    return choice.Wanted(coding, (16,), settings, 0, epochs, None)


def nothing(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[choice.Choice, bytes]:
    """What the samples choose with a coding that was asked for, and its file."""
    folder = tmp_path_factory.mktemp("chosen")
    return choice.choose(signed(), wanted("on-off"), folder, nothing), (folder / "choice.json").read_bytes()


def test_values_with_a_sign_are_learned_and_their_coding_is_kept(tmp_path: Path) -> None:
    found = choice.choose(signed(), wanted(), tmp_path, nothing)
    assert found.outcome is not None
    assert found.outcome.strict_accuracy > 0.9
    assert found.folds == 5
    rows = (tmp_path / "choice.csv").read_text().splitlines()
    assert len(rows) == 1 + len(found.trials)
    assert {row.split()[0] for row in rows[1:]} == set(codings.to_try(Values((8,), "int16", -32768, 32767)))


def test_the_same_seed_chooses_the_same_whatever_the_test_samples_are(
    tmp_path: Path, chosen: tuple[choice.Choice, bytes]
) -> None:
    dataset = signed()
    dataset.test_images[:] = 0
    assert choice.choose(dataset, wanted("on-off"), tmp_path, nothing) == chosen[0]
    assert (tmp_path / "choice.json").read_bytes() == chosen[1]


def test_an_interrupted_choice_goes_on_where_it_was(tmp_path: Path, chosen: tuple[choice.Choice, bytes]) -> None:
    tried: list[str] = []

    def interrupt(text: str) -> None:
        tried.append(text)
        if len(tried) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        choice.choose(signed(), wanted("on-off"), tmp_path, interrupt)
    assert len(json.loads((tmp_path / "choice.json").read_text())["trials"]) == 2
    begun = list(tried)
    whole = choice.choose(signed(), wanted("on-off"), tmp_path, tried.append)
    assert begun == tried[:2]
    assert len(tried) == len(set(tried)) == len(whole.trials)
    assert whole == chosen[0]


def test_nothing_is_fitted_to_what_judges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dataset = signed()
    pairs = trials.few(dataset.folds(), 0)
    seen: list[bytes] = []
    real = codings.fit_text

    def spy(text: str, samples: np.ndarray, values: Values) -> object:
        seen.append(np.sort(samples, axis=0).tobytes())
        return real(text, samples, values)

    monkeypatch.setattr(codings, "fit_text", spy)
    trials.run(dataset, trials.Plan("range", (4,)), pairs, trials.Effort(1.0, 5, 0, 16, 3))
    assert sorted(seen) == sorted(np.sort(dataset.train_images[learned], axis=0).tobytes() for learned, _ in pairs)
    assert all(not np.intersect1d(learned, judged).size for learned, judged in pairs)


def test_where_folds_have_chosen_all_samples_are_learned_from(chosen: tuple[choice.Choice, bytes]) -> None:
    dataset = signed()
    behind, settings, _ = choice.applied(dataset, chosen[0], wanted("on-off"))
    assert "all_images=True" in settings
    assert behind.stages == codings.fit("on-off", dataset.train_images, 8)
    assert behind.stages != codings.fit("on-off", dataset.training()[0], 8)


@pytest.mark.parametrize(
    ("ground", "expected"),
    [(0, codings.AS_IT_COMES), (255, codings.INVERTED), (100, None)],
    ids=["bright", "dark", "grey"],
)
def test_pictures_on_a_ground_are_taken_as_they_come(ground: int, expected: str | None) -> None:
    pictures = np.full((20, 8, 8), ground, np.uint8)
    pictures[:, 3:5, 3:5] = np.arange(20)[:, None, None] + 101
    labels = np.arange(20) % 2
    dataset = Dataset(
        "made", pictures.reshape(20, 64), labels, pictures.reshape(20, 64), labels, (8, 8), 255, ("a", "b")
    )
    assert choice.as_they_come(dataset) == expected


@pytest.mark.parametrize("text", ["nonsense", "range:nobody", "as-it-comes", "sums,range", "range:"])
def test_a_coding_that_does_not_fit_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--coding") as refused:
        codings.fit_text(text, np.zeros((3, 8), np.int16), Values((8,), "int16", -32768, 32767))
    assert "\n" not in str(refused.value)


def test_tables_are_by_value_of_a_row_and_by_channel_of_a_recording() -> None:
    samples = np.random.default_rng(0).integers(-99, 99, (50, 12)).astype(np.int16)
    for shape, features in (((12,), 12), ((4, 3), 3), ((1, 4, 3), 1)):
        fitted = codings.fit_text("on-off", samples, Values(shape, "int16", -32768, 32767))
        assert fitted == codings.fit("on-off", samples, features)
    grown = codings.fit_text("differences,range:all", samples, Values((4, 3), "int16", -32768, 32767))
    assert grown[1:] == codings.fit("range", samples[:, 3:] - samples[:, :-3], 1)


def test_recordings_are_moved_in_time_and_their_ends_repeated() -> None:
    recordings = np.arange(2 * 5 * 3).reshape(2, 15).astype(np.int16)
    seen = set()
    for seed in range(20):
        moved = augmentation.rolled(np.random.default_rng(seed), recordings, (5, 3), 2).reshape(2, 5, 3)
        for before, after in zip(recordings.reshape(2, 5, 3), moved, strict=True):
            steps = [before.tolist().index(step) for step in after.tolist()]
            move = next(move for move in range(-2, 3) if steps == [min(max(t + move, 0), 4) for t in range(5)])
            seen.add(move)
    assert seen == {-2, -1, 0, 1, 2}


def test_recordings_are_tried_with_moves_in_time_and_each_value_is_set_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    recordings = (rng.integers(-99, 99, (20, 70)) + 300 * labels[:, None]).astype(np.int16)
    dataset = Dataset("made", recordings, labels, recordings, labels, (70,), 255, ("a", "b"))
    tried: list[str] = []
    choice.choose(dataset, choice.Wanted("range", (2,), ("dropout=0.1",), 0, 3, None), tmp_path, tried.append)
    assert {move for text in tried for move in text.split() if move.startswith("roll")} == {"roll=2", "roll=7"}
    for text in tried:
        names = [setting.partition("=")[0] for setting in text.split()[2:]]
        assert len(names) == len(set(names)), text
        assert "dropout=0.1" in text
