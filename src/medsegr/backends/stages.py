"""The network as graphs that run without torch: one a stage, each with a free batch size and picture size.

| stage | in | out |
|---|---|---|
| ``shared`` | pixels [b 3 h w] | maps that no word can change, ``map0``, ``map1``, ... |
| ``words`` | index, kind, scalar [b t] | prior tokens [b 4 d] |
| ``answer`` | maps, priors | logits, presence, quality, attention, codes |
| ``clicked`` | maps, priors, points [b n 2], kinds [b n], mask [b 1 h w], has [b] | the same |

They are traced by torch's TorchScript exporter: it leaves every size free in seconds, where the newer one had
not ended after a minute of processor time (``docs/decisions/0021-backends.md``).
"""

import copy
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.backends.backend import Said, folded, said
from medsegr.backends.names import needs
from medsegr.errors import MissingExtra, UsageError
from medsegr.model import MedSegR
from medsegr.reasoning.attributes import Words
from medsegr.reasoning.modulators import TextureHead
from medsegr.sam.host import Clicks
from medsegr.tuning import identity

OPSET = 18
STAGES = ("shared", "words", "answer", "clicked")
ANSWER = ("logits", "presence", "quality", "attention", "codes")
WORDS = ("index", "kind", "scalar")
CLICKS = ("points", "kinds", "mask", "has")
SAMPLE = 128  # pixels a side of the picture that is traced; the graphs take any multiple of 32


class MixedTexture(nn.Module):
    """:class:`medsegr.reasoning.modulators.TextureHead` with its mixture taken after the convolution.

    A convolution is linear in its kernel, so filtering with all K fixed kernels and mixing the results is
    filtering with the mixed kernel. The kernels are constants of the graph then: an ordinary convolution.
    """

    def __init__(self, head: TextureHead) -> None:
        super().__init__()
        kernels, inner = head.kernels.shape[:2]
        self.mix, self.norm, self.film = head.mix, head.norm, head.film
        self.tau = float(head.tau)
        self.each = nn.Conv2d(inner, inner * kernels, 3, padding=1, groups=inner, bias=False)
        fixed = head.kernels.detach().transpose(0, 1).reshape(inner * kernels, 1, 3, 3)
        self.each.weight = nn.Parameter(fixed.contiguous())

    def forward(self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"]) -> Float[Tensor, "b r h w"]:
        """As the head that it was made of."""
        b, r, h, w = u.shape
        share = (self.mix(prior) / self.tau).softmax(-1)[:, None, :, None]
        filtered = (self.each(u).view(b, r, -1, h * w) * share).sum(2).view(b, r, h, w)
        gain, shift = self.film(prior).tanh()[..., None, None].chunk(2, 1)
        out: Tensor = u + (1 + gain) * self.norm(filtered) + shift
        return out


def frozen(network: MedSegR) -> MedSegR:
    """A copy of the network in which every operation has a counterpart in ONNX; equal up to rounding."""
    made = copy.deepcopy(network).to("cpu")
    for module in made.modulators:
        if isinstance(texture := module.texture, TextureHead):
            module.texture = MixedTexture(texture)
    return cast(MedSegR, folded(made))


@dataclass(frozen=True, slots=True)
class _Stage:
    module: nn.Module
    inputs: Mapping[str, tuple[Tensor, Mapping[int, str]]]  # name -> a sample, and what is free in it
    outputs: Mapping[str, Mapping[int, str]]


class _Shared(nn.Module):
    def __init__(self, network: MedSegR) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.network.shared(pixels)


class _Hear(nn.Module):
    def __init__(self, network: MedSegR) -> None:
        super().__init__()
        self.network = network

    def forward(self, index: Tensor, kind: Tensor, scalar: Tensor) -> Tensor:
        return self.network.priors(Words(index, kind, scalar))


class _Decode(nn.Module):
    """Maps, priors and, in ``clicked``, four more."""

    def __init__(self, network: MedSegR, maps: int) -> None:
        super().__init__()
        self.network = network
        self.maps = maps

    def forward(self, *given: Tensor) -> tuple[Tensor | None, ...]:
        maps, (priors, *clicks) = given[: self.maps], given[self.maps :]
        told: Said = said(self.network(cast(Any, maps), priors, Clicks(*clicks)))
        return tuple(getattr(told, name) for name in ANSWER)


def _stages(network: MedSegR) -> Iterator[tuple[str, _Stage]]:
    free = {0: "b", 2: "h", 3: "w"}
    pixels = torch.zeros(2, 3, SAMPLE, SAMPLE)
    with torch.no_grad():
        maps = network.shared(pixels)
        words = Words(*(torch.zeros(2, 3, dtype=kind) for kind in (torch.long, torch.long, torch.float32)))
        priors = network.priors(words)
    names = [f"map{at}" for at in range(len(maps))]
    own = {name: {0: "b", 2: f"{name}_h", 3: f"{name}_w"} for name in names}
    yield "shared", _Stage(_Shared(network), {"pixels": (pixels, free)}, own)
    spoken = {name: (getattr(words, name), {0: "b", 1: "t"}) for name in WORDS}
    yield "words", _Stage(_Hear(network), spoken, {"priors": {0: "b"}})
    given: dict[str, tuple[Tensor, Mapping[int, str]]] = {
        name: (one, own[name]) for name, one in zip(names, maps, strict=True)
    }
    given["priors"] = (priors, {0: "b"})
    flat = {0: "b", 1: "out_h", 2: "out_w"}
    answer: dict[str, Mapping[int, str]] = {"logits": flat, "presence": {0: "b"}, "quality": {0: "b"}}
    answer |= {"attention": {0: "b", 1: "att_h", 2: "att_w"}, "codes": {0: "b"}}
    yield "answer", _Stage(_Decode(network, len(maps)), given, answer)
    clicks = (torch.zeros(2, 3, 2), torch.ones(2, 3), torch.zeros(2, 1, SAMPLE, SAMPLE), torch.ones(2) > 0)
    axes: Sequence[Mapping[int, str]] = ({0: "b", 1: "n"}, {0: "b", 1: "n"}, free, {0: "b"})
    more = {name: (one, at) for name, one, at in zip(CLICKS, clicks, axes, strict=True)}
    yield "clicked", _Stage(_Decode(network, len(maps)), {**given, **more}, answer)


def traced(network: object) -> dict[str, bytes]:
    """Every stage as an ONNX file. UsageError for networks without prior tokens: those of other methods."""
    if (host := identity(network)) is not None:
        from medsegr.sam.hosts.exporting import refusal

        if (why := refusal(getattr(network, "host", None))) is not None:
            raise UsageError(
                f"a network on the host '{host.name}' cannot be exported: {why}; use --backend torch"
            )
    if find_spec("onnx") is None:
        raise MissingExtra(needs("exporting"))
    if not isinstance(network, MedSegR):
        raise UsageError(
            f"only medsegr's own networks can be exported, not {type(network).__name__}: use --backend torch"
        )
    try:
        return {name: _file(stage) for name, stage in _stages(frozen(network))}
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise UsageError(
            f"a network on the host {type(network.host).__name__} cannot be exported "
            f"({' '.join(str(error).split())[:100]}): use --backend torch"
        ) from error


def _file(stage: _Stage) -> bytes:
    axes = {name: dict(at) for name, (_, at) in stage.inputs.items()}
    axes |= {name: dict(at) for name, at in stage.outputs.items()}
    with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "stage.onnx"
        warnings.simplefilter("ignore")  # the tracer warns of sizes that it keeps free, and of its age
        torch.onnx.export(
            stage.module.eval(),
            tuple(sample for sample, _ in stage.inputs.values()),
            written,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(stage.inputs),
            output_names=list(stage.outputs),
            dynamic_axes=axes,
        )
        return written.read_bytes()


def no_clicks(rows: int, size: tuple[int, int]) -> Clicks:
    """Nothing clicked, in the shape that ``clicked`` wants: no point, and a mask that does not count."""
    return Clicks(
        torch.zeros(rows, 0, 2),
        torch.zeros(rows, 0),
        torch.zeros(rows, 1, *size),
        torch.zeros(rows) > 0,
    )
