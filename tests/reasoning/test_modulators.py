"""The unit checks that the model's design names: exact no-op, gradients, the lattice's receptive field,
parameter counts."""

import math

import pytest
import torch

from medsegr.reasoning.fusion import Fusion, first_layer_mask
from medsegr.reasoning.modulators import Modulator, ShapeHead, lattice_points, sample_at


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("channels", "millions"), [(768, 0.598), (1024, 0.911), (1280, 1.290), (320, 0.208)])
def test_parameter_count_is_the_designs(channels: int, millions: float) -> None:
    assert count(Modulator(channels, channels // 4)) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_fusion_parameter_count() -> None:
    assert count(Fusion(words_width=768)) / 1e6 == pytest.approx(2.31, abs=5e-3)


@pytest.mark.parametrize("heads", ["L", "T", "S", "LT", "LS", "TS", "LTS"])
def test_a_new_modulator_changes_nothing_at_all(heads: str) -> None:
    torch.manual_seed(0)
    modulator = Modulator(32, 16, prior=24, position=8, heads=heads)
    x = torch.randn(2, 32, 7, 9)
    y, _ = modulator(x, torch.randn(2, 4, 24), torch.randn(8, 7, 9))
    assert torch.equal(x, y)


def test_every_parameter_has_a_gradient_by_the_third_step() -> None:
    torch.manual_seed(0)
    modulator = Modulator(32, 16, prior=24, position=8)
    optimiser = torch.optim.SGD(modulator.parameters(), lr=0.5)
    x, goal = torch.randn(2, 32, 7, 9), torch.randn(2, 32, 7, 9)
    priors, pe = torch.randn(2, 4, 24), torch.randn(8, 7, 9)
    for _ in range(3):
        optimiser.zero_grad()
        y, _ = modulator(x, priors, pe)
        (y - goal).pow(2).mean().backward()
        optimiser.step()
    silent = [name for name, p in modulator.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def moments(a_y: float, a_x: float, theta: float, size: int = 41) -> tuple[float, float, float]:
    """Second moments (row, column, row-column) of what one output cell reads, found by the gradient to the
    input."""
    lattice = torch.tensor([[y, x] for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)])
    points = lattice_points(lattice, torch.tensor([a_y]), torch.tensor([a_x]), torch.tensor([theta]))
    u = torch.zeros(1, 1, size, size, requires_grad=True)
    offsets = points[..., None, None].expand(1, 9, 2, size, size)
    middle = size // 2
    sample_at(u, offsets)[0, 0, :, middle, middle].mean().backward()
    weight = u.grad[0, 0]
    steps = torch.arange(size) - middle
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return tuple(float((weight * a * b).sum() / weight.sum()) for a, b in ((y, y), (x, x), (y, x)))


@pytest.mark.parametrize(
    ("a_y", "a_x", "theta"),
    [(0.0, 0.0, 0.0), (0.6, 0.6, 0.0), (0.6, -0.6, 0.0), (0.6, -0.6, math.pi / 4), (-0.4, 0.5, math.pi / 3)],
)
def test_the_words_lattice_sets_the_receptive_field(a_y: float, a_x: float, theta: float) -> None:
    """Mean of squares of {-1, 0, 1} is 2/3, scaled and turned; bilinear reading adds f (1 - f) at fractional
    places."""
    row, col, cross = moments(a_y, a_x, theta)
    sy, sx = 2 / 3 * math.exp(2 * a_y), 2 / 3 * math.exp(2 * a_x)
    c, s = math.cos(theta), math.sin(theta)
    assert row == pytest.approx(c * c * sy + s * s * sx, abs=0.26)
    assert col == pytest.approx(s * s * sy + c * c * sx, abs=0.26)
    assert cross == pytest.approx(c * s * (sy - sx), abs=0.02)


def test_words_turn_the_lattice_of_a_trained_head() -> None:
    head = ShapeHead(16, 24)
    with torch.no_grad():
        head.to_lattice.bias.copy_(torch.tensor([2.0, -2.0, 0.0]))
    tall = head.deform(torch.zeros(1, 24))[0]
    assert tall[:, 0].abs().max() > 1.5
    assert tall[:, 1].abs().max() < 1


def test_the_spatial_gain_is_bounded() -> None:
    """However loud a word, it can neither erase nor flood a place: the gain stays within (0.5, 1.5)."""
    head = Modulator(8, 4, prior=6, position=4, heads="L").location
    u = torch.rand(1, 4, 5, 5) + 0.1
    with torch.no_grad():
        head.keys.weight.mul_(1e4)
        out, _ = head(u, torch.randn(1, 6), torch.randn(4, 5, 5))
    ratio = out / u
    assert ratio.min() >= 0.5 - 1e-5
    assert ratio.max() <= 1.5 + 1e-5


def test_samples_at_zero_offset_are_the_map_itself() -> None:
    u = torch.randn(2, 3, 5, 6)
    out = sample_at(u, torch.zeros(2, 4, 2, 5, 6))
    assert torch.allclose(out, u[:, :, None].expand(-1, -1, 4, -1, -1), atol=1e-6)


def test_an_offset_of_one_cell_reads_the_neighbour_and_zero_outside() -> None:
    u = torch.arange(12.0).view(1, 1, 3, 4)
    right = torch.zeros(1, 1, 2, 3, 4)
    right[:, :, 1] = 1
    out = sample_at(u, right)[0, 0, 0]
    assert torch.allclose(out[:, :-1], u[0, 0, :, 1:], atol=1e-5)
    assert torch.allclose(out[:, -1], torch.zeros(3), atol=1e-5)


def test_first_layer_mask_keeps_the_three_priors_apart() -> None:
    kind = torch.tensor(
        [[0, 1, 2, 3, -1]]
    )  # location, texture, shape, report word, padding; then the four nulls
    mask = first_layer_mask(kind)[0].int().tolist()
    assert mask == [
        [1, 0, 0, 1, 0, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0, 0, 0, 1, 0],
        [1, 1, 1, 1, 0, 1, 1, 1, 1],
    ]


def test_padding_and_company_do_not_change_the_priors() -> None:
    torch.manual_seed(0)
    fusion = Fusion(16, 32, heads=4, inner=64).eval()
    tokens, kind = torch.randn(1, 3, 16), torch.tensor([[0, 1, 3]])
    alone = fusion(tokens, kind)
    padded = fusion(
        torch.cat([tokens, torch.randn(1, 2, 16)], 1), torch.cat([kind, torch.full((1, 2), -1)], 1)
    )
    assert torch.allclose(alone, padded, atol=1e-6)


def test_no_words_at_all_is_legal() -> None:
    fusion = Fusion(16, 32, heads=4, inner=64).eval()
    out = fusion(torch.randn(2, 1, 16), torch.full((2, 1), -1))
    assert torch.isfinite(out).all()
    assert torch.allclose(out[0], out[1], atol=1e-6)
