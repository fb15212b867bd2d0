"""Convolution and attention blocks of the tiny host, and the small layers that everybody uses.

Maps are channels first, ``b c h w``. Norms are BatchNorm in the encoder (folded at inference by any exporter)
and LayerNorm or GroupNorm(1) where the words act, so that one image of a batch never changes another.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """LayerNorm over the channels of every position of a ``b c h w`` map (as in SAM's neck)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise every position over its channels."""
        mean = x.mean(1, keepdim=True)
        scale = torch.rsqrt((x - mean).pow(2).mean(1, keepdim=True) + self.eps)
        return (x - mean) * scale * self.weight[:, None, None] + self.bias[:, None, None]


class Mlp(nn.Module):
    """Linear layers with GELU between them; ``widths`` names every width from input to output."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b d"]:
        """Apply the layers."""
        for i, layer in enumerate(self.layers):
            x = layer(F.gelu(x) if i else x)
        return x


class Attention(nn.Module):
    """Multi-head attention with its own projections; ``mask`` is True where a query may look."""

    def __init__(self, width: int, heads: int, inner: int | None = None) -> None:
        super().__init__()
        inner = inner or width
        self.heads = heads
        self.q = nn.Linear(width, inner)
        self.k = nn.Linear(width, inner)
        self.v = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)

    def _split(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        return x.view(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Float[Tensor, "b n c"]:
        """``q`` [b n c], ``k`` and ``v`` [b t c], ``mask`` [b n t] bool (True = may look; at least one a
        row)."""
        heads = F.scaled_dot_product_attention(
            self._split(self.q(q)),
            self._split(self.k(k)),
            self._split(self.v(v)),
            attn_mask=None if mask is None else mask[:, None],
        )
        b, _, n, _ = heads.shape
        out: Tensor = self.out(heads.transpose(1, 2).reshape(b, n, -1))
        return out


def conv_bn(
    cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution without bias, BatchNorm, Hardswish (left out with ``act=False``)."""
    layers: list[nn.Module] = [
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout),
    ]
    return nn.Sequential(*layers, nn.Hardswish()) if act else nn.Sequential(*layers)


def zero_last_norm(body: nn.Sequential) -> None:
    """Start a residual branch at zero, by the weight of its last BatchNorm."""
    norms = [module for module in body.modules() if isinstance(module, nn.BatchNorm2d)]
    nn.init.zeros_(norms[-1].weight)


class Residual(nn.Module):
    """``x + body(x)``, or ``body(x)`` alone where the shape changes. The last BatchNorm of the branch starts
    at zero."""

    def __init__(self, body: nn.Sequential, skip: bool) -> None:
        super().__init__()
        self.body = body
        self.skip = skip
        if skip:
            zero_last_norm(body)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Apply the branch."""
        y: Tensor = self.body(x)
        return x + y if self.skip else y


def fused_mbconv(cin: int, cout: int, stride: int = 1, expand: int = 4) -> Residual:
    """Full 3x3 expansion then 1x1 projection (EfficientNetV2's early block)."""
    body = nn.Sequential(conv_bn(cin, cin * expand, 3, stride), conv_bn(cin * expand, cout, 1, act=False))
    return Residual(body, skip=stride == 1 and cin == cout)


def mbconv(cin: int, cout: int, stride: int = 1, expand: int = 4) -> Residual:
    """1x1 expansion, 3x3 depthwise, 1x1 projection (MobileNetV2)."""
    mid = cin * expand
    body = nn.Sequential(
        conv_bn(cin, mid, 1), conv_bn(mid, mid, 3, stride, groups=mid), conv_bn(mid, cout, 1, act=False)
    )
    return Residual(body, skip=stride == 1 and cin == cout)


class LinearAttention(nn.Module):
    """ReLU linear attention with one 5x5 multi-scale branch (EfficientViT, arXiv 2205.14756, Fig. 2); cost
    linear in h*w."""

    def __init__(self, channels: int, head: int = 16) -> None:
        super().__init__()
        self.head = head
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.local = nn.Sequential(
            nn.Conv2d(3 * channels, 3 * channels, 5, padding=2, groups=3 * channels, bias=False),
            nn.Conv2d(3 * channels, 3 * channels, 1, groups=3 * channels // head, bias=False),
        )
        self.out = conv_bn(2 * channels, channels, 1, act=False)
        zero_last_norm(self.out)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Attend over all positions; the residual is inside."""
        b, _, h, w = x.shape
        qkv = self.qkv(x)
        both = torch.cat([qkv, self.local(qkv)], 1).reshape(b, -1, 3 * self.head, h * w)
        q, k, v = both.chunk(3, dim=2)
        q, k = F.relu(q), F.relu(k)
        ones = torch.ones_like(v[:, :, :1])
        context = torch.cat([v, ones], 2) @ k.transpose(-1, -2)  # [b heads 17 16]
        mixed = context @ q
        out = mixed[:, :, :-1] / (mixed[:, :, -1:] + 1e-6)
        y: Tensor = self.out(out.reshape(b, -1, h, w))
        return x + y
