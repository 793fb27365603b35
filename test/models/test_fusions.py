"""What every way of fusing keeps: masks, memory, gradients, and errors that name the choices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_rig import BATCH, MODALITIES, WIDTH, build, moment, nothing_before, outputs, through

from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.models.fusion.fusion import FUSIONS, Seen

every_fusion = pytest.mark.parametrize("name", list(FUSIONS))
with_memory = [name for name in FUSIONS if build(name).carried_shapes]


@every_fusion
@given(
    absent=st.sets(st.sampled_from(sorted(MODALITIES)), min_size=1),
    seed=st.integers(1, 1000),
)
@settings(max_examples=8)
def test_nothing_depends_on_what_is_absent(name: str, absent: set[str], seed: int) -> None:
    fusion, missing = build(name), tuple(absent)
    with torch.no_grad():
        one = fusion(moment(0, absent=missing, seen_alike=0), nothing_before(fusion))
        other = fusion(moment(seed, absent=missing, seen_alike=0), nothing_before(fusion))
    for role, value in outputs(one).items():
        assert value.isfinite().all()
        torch.testing.assert_close(value, outputs(other)[role], rtol=0, atol=0)


@every_fusion
@pytest.mark.parametrize("modality", sorted(MODALITIES))
def test_every_modality_that_is_there_counts(name: str, modality: str) -> None:
    fusion = build(name)
    before, after = moment(0), moment(0)
    changed = {**after.tokens, modality: after.tokens[modality].flip(2)}
    other = Seen(tokens=changed, present=after.present, maps=after.maps)
    with torch.no_grad():
        one, two = (fusion(seen, nothing_before(fusion)).summary for seen in (before, other))
    assert (one - two).abs().max() > 1e-5


@every_fusion
def test_values_that_are_not_numbers_do_no_harm_where_nothing_is(name: str) -> None:
    fusion, seen = build(name), moment(0, absent=("front.depth", "words"))
    tokens = dict(seen.tokens)
    for missing in ("front.depth", "words"):
        tokens[missing] = torch.full_like(tokens[missing], float("nan"))
    with torch.no_grad():
        spoilt = fusion(
            Seen(tokens=tokens, present=seen.present, maps=seen.maps), nothing_before(fusion)
        )
    assert all(value.isfinite().all() for value in outputs(spoilt).values())


@every_fusion
def test_gradients_reach_every_part(name: str) -> None:
    fusion = build(name)
    fused = through(fusion, [moment(seed) for seed in range(3)])
    (fused.summary * torch.linspace(-1, 1, WIDTH)).sum().backward()
    dead = [n for n, p in fusion.named_parameters() if p.requires_grad and p.grad is None]
    assert dead == []


@every_fusion
def test_it_says_the_same_on_every_run(name: str) -> None:
    fusion = build(name)
    with torch.no_grad():
        one, two = (outputs(fusion(moment(0), nothing_before(fusion))) for _ in range(2))
    assert all(torch.equal(value, two[role]) for role, value in one.items())


@every_fusion
def test_its_outputs_have_the_shapes_that_heads_and_service_expect(name: str) -> None:
    fusion = build(name)
    fused = fusion(moment(0), nothing_before(fusion))
    assert fused.summary.shape == (BATCH, WIDTH)
    assert fused.tokens.shape == (*fused.present.shape, WIDTH)
    shapes = {key: tuple(value.shape[1:]) for key, value in fused.carried.items()}
    assert shapes == fusion.carried_shapes


@pytest.mark.parametrize("name", with_memory)
def test_memory_counts_until_zeros_clear_it(name: str) -> None:
    fusion = build(name)
    with torch.no_grad():
        alone = through(fusion, [moment(1)])
        after_another = through(fusion, [moment(2), moment(1)])
        cleared = fusion(moment(1), nothing_before(fusion))
    assert (after_another.summary - alone.summary).abs().max() > 1e-4
    assert torch.equal(cleared.summary, alone.summary)


def test_a_moment_beyond_the_window_is_forgotten() -> None:
    fusion = build("memory", moments=3)
    with torch.no_grad():
        kept = [through(fusion, [moment(first), moment(8), moment(9)]) for first in (1, 2)]
        gone = [
            through(fusion, [moment(first), moment(7), moment(8), moment(9)]) for first in (1, 2)
        ]
    assert (kept[0].summary - kept[1].summary).abs().max() > 1e-5
    assert torch.equal(gone[0].summary, gone[1].summary)


@pytest.mark.parametrize("name", with_memory)
def test_memory_stays_within_bounds_however_long_it_runs(name: str) -> None:
    fusion = build(name)
    with torch.no_grad():
        short = through(fusion, [moment(seed) for seed in range(10)])
        long = through(fusion, [moment(seed) for seed in range(60)])
    for role, value in long.carried.items():
        assert value.shape == short.carried[role].shape
        assert value.abs().max() < 4 * max(1.0, float(short.carried[role].abs().max()))


@pytest.mark.parametrize("name", ["early", "fpn"])
def test_what_needs_pictures_says_so(name: str) -> None:
    kind, rows = FUSIONS.get(name), {"state": MODALITIES["state"]}
    with pytest.raises(ConfigError, match=r"expected a camera.*found state"):
        kind(kind.Options(), width=WIDTH, modalities=rows)


def test_heads_of_attention_that_do_not_divide_the_width_are_named() -> None:
    with pytest.raises(ConfigError, match="width 16 is not a multiple of 5 attention heads"):
        build("transformer", heads=5)


def test_an_unknown_fusion_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown fusion 'tranformer'.*cross_modal.*late"):
        FUSIONS.get("tranformer")
