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
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.backends.names import WORDS, needs
from medsegr.backends.network import acted, folded
from medsegr.errors import MissingExtra, UsageError
from medsegr.fitting.tuning import identity
from medsegr.model import MedSegR, Output
from medsegr.reasoning.attributes import Words
from medsegr.reasoning.modulators import LocationHead, TextureHead
from medsegr.sam.host import Clicks
from medsegr.sam.prompt_encoder import FourierPosition
from medsegr.sam.sam import Sam

OPSET = 18
CLICKS = ("points", "kinds", "mask", "has")
SAMPLE = 128  # pixels a side of the picture that is traced; the graphs take any multiple of 32


class MixedTexture(nn.Module):
    """:class:`medsegr.reasoning.modulators.TextureHead`, whose kernels are mixed row by row, as nine shifted
    maps that are weighed and added: a grouped convolution whose number of groups is the batch's has no
    counterpart in ONNX, and filtering with all K kernels costs K times as much."""

    def __init__(self, head: TextureHead) -> None:
        super().__init__()
        self.mix, self.norm, self.film = head.mix, head.norm, head.film
        self.tau = float(head.tau)
        self.register_buffer("kernels", head.kernels.detach().flatten(1))  # [k r*9]

    def forward(self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"]) -> Float[Tensor, "b r h w"]:
        """As the head that it was made of."""
        b, r, h, w = u.shape
        chosen = ((self.mix(prior) / self.tau).softmax(-1) @ self.kernels).view(b, r, 9, 1, 1)
        wide = F.pad(u, (1, 1, 1, 1))
        filtered = sum(
            wide[:, :, at // 3 : h + at // 3, at % 3 : w + at % 3] * chosen[:, :, at] for at in range(9)
        )
        gain, shift = self.film(prior).tanh()[..., None, None].chunk(2, 1)
        out: Tensor = u + (1 + gain) * self.norm(filtered) + shift
        return out


class PlainPlaces(nn.Module):
    """:class:`medsegr.reasoning.modulators.LocationHead` for Fourier positions, without a map of positions:
    sin(a + b) and cos(a + b) are sums of products of what depends on the column and on the row alone, so
    the coordinate term is a product of two small matrices."""

    matrix: Tensor
    place: Tensor
    offset: Tensor

    def __init__(self, head: LocationHead, position: FourierPosition) -> None:
        super().__init__()
        self.keys, self.content, self.bias = head.keys, head.content, head.bias
        self.register_buffer("place", head.place.weight.detach().flatten(1))  # [width 2*half]
        self.register_buffer("offset", cast(Tensor, head.place.bias).detach())
        self.register_buffer("matrix", position.matrix)  # [2 half]

    def forward(
        self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"], pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As the head that it was made of; ``pe`` is not read."""
        h, w = u.shape[-2:]
        key_content, key_place = self.keys(prior).chunk(2, -1)
        content = torch.einsum("bc,bchw->bhw", key_content, self.content(u))
        x, y = (self._angles(n, row) for row, n in enumerate((w, h)))
        sine, cosine = ((key_place @ self.place)[:, None]).chunk(2, -1)  # [b 1 half]
        left = torch.cat([sine * y.cos() - cosine * y.sin(), sine * y.sin() + cosine * y.cos()], -1)
        place = left @ torch.cat([x.sin(), x.cos()], -1).t() + (key_place @ self.offset)[:, None, None]
        logits = (content + place) / math.sqrt(key_content.shape[-1]) + self.bias
        return u * (0.5 + logits.sigmoid())[:, None], logits

    def _angles(self, n: int, row: int) -> Tensor:
        """[n half]: what one axis adds to the angles of its cells."""
        at = (torch.arange(n, device=self.matrix.device, dtype=self.matrix.dtype) + 0.5) / n
        return 2 * math.pi * (2 * at - 1)[:, None] * self.matrix[row]


def frozen(network: MedSegR) -> MedSegR:
    """A copy of the network in which every operation has a counterpart in ONNX, and what costs most a cheaper
    way; equal up to rounding."""
    made = copy.deepcopy(network).to("cpu")
    for module in made.modulators:
        if isinstance(texture := module.texture, TextureHead):
            module.texture = MixedTexture(texture)
        if isinstance(head := module.location, LocationHead) and isinstance(made.host, Sam):
            module.location = PlainPlaces(head, made.host.prompt_encoder.position)
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
        out: Output = self.network(cast(Any, maps), priors, Clicks(*clicks))
        said = out.decoded
        return said.logits, said.presence, said.quality, acted(out), out.codes  # as ANSWER names them


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
