"""Losses of self-supervision against plain loops, and against lightly's where it is installed."""

import math

import numpy as np
import pytest
import references
import torch
import torch.nn.functional as F
from torch import Tensor

from robot_vision.training.self_supervised.collapse import (
    CollapsedError,
    CollapseOptions,
    CollapseWatch,
    entropies,
    spread_of,
)
from robot_vision.training.self_supervised.losses import (
    dino_loss,
    masked_pixels,
    nt_xent,
    patches_of,
    teacher_share,
)
from robot_vision.training.self_supervised.probes import knn_classes, linear_classes, nearest


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_nt_xent_is_the_papers_sum_over_all_views() -> None:
    one, other, temperature = drawn(5, 8), drawn(5, 8, seed=1), 0.3
    views = [*one, *other]
    total = 0.0
    for row, view in enumerate(views):
        partner = (row + 5) % 10
        alike = [float(F.cosine_similarity(view, v, dim=0)) / temperature for v in views]
        below = sum(math.exp(alike[k]) for k in range(10) if k != row)
        total -= math.log(math.exp(alike[partner]) / below)
    found = nt_xent(one, other, temperature=temperature)
    assert float(found) == pytest.approx(total / 10, rel=1e-5)


def test_dino_compares_each_view_with_every_other_and_not_with_itself() -> None:
    student, share = drawn(4, 3, 6), drawn(2, 3, 6, seed=1).softmax(dim=2)
    terms = []
    for g in range(2):
        for v in range(4):
            if v == g:
                continue
            for b in range(3):
                said = (student[v, b] / 0.1).log_softmax(dim=0)
                terms.append(-float((share[g, b] * said).sum()))
    found = dino_loss(student, share, temperature=0.1)
    assert float(found) == pytest.approx(float(np.mean(terms)), rel=1e-5)


def test_nt_xent_and_dino_are_those_of_lightly() -> None:
    lightly = references.lightly_loss()
    one, other = drawn(6, 16), drawn(6, 16, seed=1)
    theirs = lightly.NTXentLoss(temperature=0.2)(one, other)
    torch.testing.assert_close(nt_xent(one, other, temperature=0.2), theirs)
    student, teacher = drawn(4, 3, 10), drawn(2, 3, 10, seed=1)
    reference = lightly.DINOLoss(output_dim=10, teacher_temp=0.05, student_temp=0.1)
    reference.center += drawn(10, seed=2)
    share = teacher_share(teacher.flatten(0, 1), drawn(10, seed=2), temperature=0.05)
    ours = dino_loss(student, share.view_as(teacher), temperature=0.1)
    torch.testing.assert_close(ours, reference(list(teacher), list(student)))


def test_patches_hold_their_pixels_row_by_row_and_only_hidden_ones_count() -> None:
    rgb = torch.randint(0, 256, (2, 4, 6, 3), generator=torch.Generator().manual_seed(0))
    rgb = rgb.to(torch.uint8)
    patches = patches_of(rgb, 2)
    assert patches.shape == (2, 6, 12)
    for row in range(2):
        for column in range(3):
            cut = rgb[1, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].float() / 255
            assert torch.equal(patches[1, 3 * row + column], cut.flatten())
    hidden = torch.zeros(2, 6, dtype=torch.bool)
    hidden[0, 4] = hidden[1, 1] = True
    found = drawn(2, 6, 12)
    for normalised in (False, True):
        errors = []
        for batch, number in ((0, 4), (1, 1)):
            asked = patches[batch, number]
            if normalised:
                asked = (asked - asked.mean()) / (asked.var() + 1e-6).sqrt()
            errors.append(float((found[batch, number] - asked).square().mean()))
        total = masked_pixels(found, patches, hidden, normalised=normalised)
        assert float(total) == pytest.approx(np.mean(errors), rel=1e-5)


def test_neighbours_and_a_linear_layer_find_known_clusters() -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(3, 16))

    def cluster(count: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(count) % 3
        return (middles[rows] + 0.1 * rng.normal(size=(count, 16))).astype(np.float32), rows

    (known, known_class), (asked, truth) = cluster(60), cluster(30)
    for classify in (knn_classes, linear_classes):
        assert (classify(known, known_class, asked, classes=3) == truth).all()
        # Labels that have nothing to do with the pictures cannot be found.
        shuffled = rng.permutation(known_class)
        assert (classify(known, shuffled, asked, classes=3) == truth).mean() < 0.7
    assert (known_class[nearest(known, asked, count=5)] == truth[:, None]).all()


def test_a_large_class_has_no_more_votes_than_its_nearness_gives_it() -> None:
    known = np.array([[1, 0.0], *[[0, 1.0]] * 19], np.float32)
    labels = np.array([0] + [1] * 19)
    asked = np.array([[1, 0.1], [0.1, 1]], np.float32)
    assert knn_classes(known, labels, asked, classes=2).tolist() == [0, 1]


def test_spread_is_one_of_all_directions_and_none_of_one() -> None:
    rng = np.random.default_rng(0)
    assert spread_of(rng.normal(size=(4000, 32)).astype(np.float32)) == pytest.approx(1, abs=0.02)
    one = np.tile(rng.normal(size=(1, 32)), (50, 1)).astype(np.float32)
    assert spread_of(one) == pytest.approx(0, abs=1e-6)


def test_entropies_separate_both_kinds_of_collapse_from_none() -> None:
    eye = np.eye(8)
    assert entropies(eye) == pytest.approx({"teacher_entropy": 0, "teacher_mean_entropy": 1})
    uniform = np.full((5, 8), 1 / 8)
    assert entropies(uniform) == pytest.approx({"teacher_entropy": 1, "teacher_mean_entropy": 1})
    one = np.tile(eye[:1], (5, 1))
    assert entropies(one) == pytest.approx({"teacher_entropy": 0, "teacher_mean_entropy": 0})


@pytest.mark.parametrize(
    ("figures", "advice"),
    [
        ({"spread": 0.001}, "run.batch_size"),
        (
            {"spread": 0.5, "teacher_entropy": 0.1, "teacher_mean_entropy": 0.01},
            "options.centre_momentum",
        ),
        (
            {"spread": 0.5, "teacher_entropy": 0.9999, "teacher_mean_entropy": 0.9999},
            "options.teacher_temperature",
        ),
    ],
    ids=["one place", "one prototype", "no prototype"],
)
def test_a_collapse_of_several_evaluations_stops_and_says_what_to_change(
    figures: dict[str, float], advice: str
) -> None:
    watch = CollapseWatch(CollapseOptions(evaluations=3))
    healthy = {"spread": 0.5, "teacher_entropy": 0.3, "teacher_mean_entropy": 0.8}
    for seen in (figures, figures, healthy, figures, figures):
        watch.check(seen)
    with pytest.raises(CollapsedError, match=r"over 3 evaluations.*To change") as caught:
        watch.check(figures)
    assert advice in str(caught.value)


def test_the_count_of_a_collapse_goes_on_after_a_resume() -> None:
    first, second = (CollapseWatch(CollapseOptions(evaluations=2)) for _ in range(2))
    first.check({"spread": 0.0})
    second.load_state_dict(first.state_dict())
    with pytest.raises(CollapsedError):
        second.check({"spread": 0.0})
