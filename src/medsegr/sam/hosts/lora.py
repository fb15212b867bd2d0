"""Low-rank adapters (LoRA, arXiv 2106.09685; peft) on queries and values of a host's attention.

Many hosts make queries, keys and values in one fused layer, and peft adapts whole layers. There the fused
layer stays as it is, and beside it stand two layers without weights of their own for peft to adapt: what the
adapters say is added to the part of the output that is q, or v. Begins at zero, exactly.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.errors import MissingExtra, UsageError


class Part(nn.Linear):
    """Rows of a fused layer, seen by peft as a linear layer of its own. By itself it says nothing."""

    source: tuple[nn.Linear, slice]

    def __init__(self, fused: nn.Linear, rows: slice) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = fused.in_features, rows.stop - rows.start
        self.register_parameter("bias", None)
        self.source = (fused, rows)  # in a tuple it is no child: its weights belong to the fused layer

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """A view of the fused layer's rows."""
        fused, rows = self.source
        return fused.weight[rows]

    def forward(self, x: Tensor) -> Tensor:
        """Zero: the fused layer has said it already."""
        return x.new_zeros(())


class Fused(nn.Module):
    """A fused layer of q, k and v with places for adapters on q and v."""

    def __init__(self, qkv: nn.Linear) -> None:
        super().__init__()
        width = qkv.out_features // 3
        self.qkv = qkv
        self.q = Part(qkv, slice(0, width))
        self.v = Part(qkv, slice(2 * width, 3 * width))

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b d"]:
        """As the fused layer, plus what the adapters say."""
        q, v = self.q(x), self.v(x)
        out: Tensor = self.qkv(x)
        return out + torch.cat([q, torch.zeros_like(q), v], -1) if q.ndim else out


def adapt(encoder: Any, layers: tuple[str, ...], rank: int) -> None:
    """Put adapters of ``rank`` (0: none) on the ``layers`` of every block; the rest is left as it is.

    UsageError where the host has no attention, MissingExtra without peft.
    """
    if not rank:
        return
    if not layers:
        raise UsageError("this host has no attention in its image encoder: there is no place for --lora")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtra("--lora needs peft: pip install 'medsegr[sam]'") from error
    found = [name for name, _ in encoder.named_modules() if name.endswith(layers)]
    targets = []
    for name in found:
        outer, _, inner = name.rpartition(".")
        if inner == "qkv":
            block = encoder.get_submodule(outer)
            setattr(block, inner, Fused(getattr(block, inner)))
            targets += [f"{name}.q", f"{name}.v"]
        else:
            targets.append(name)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, lora_dropout=0.0)
    inject_adapter_in_model(config, encoder)
