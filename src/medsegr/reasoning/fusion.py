"""Cognitive stage, second half: four learned queries read the words in two pre-norm transformer layers.

    X   = LN(W_t E_a) + u_a  over all tokens, plus one null token for each of the four kinds
    Z   <- Z + SelfAttn(LN Z);  Z <- Z + CrossAttn(LN Z, X, X; M_l);  Z <- Z + FFN(LN Z)
    p   = LN Z                                                          [b 4 d]: p_loc, p_tex, p_shp, p_glb

In the first layer query a sees only tokens of its own kind, its null token and whole-report tokens; the
fourth query sees all. Without that mask nothing in the loss would tell the three priors apart. The second
layer lets all see all.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from medsegr.nn.blocks import Attention, Mlp
from medsegr.reasoning.codes import REPORT

KINDS = 4


def first_layer_mask(kind: Int[Tensor, "b t"]) -> Bool[Tensor, "b 4 n"]:
    """Who may look where in layer 1, over the t tokens followed by the four null tokens. True = may look."""
    queries = torch.arange(KINDS, device=kind.device)
    nulls = queries.expand(kind.shape[0], KINDS)
    keys = torch.cat([kind, nulls], 1)[:, None]  # [b 1 t+4]
    real = keys >= 0
    own = keys == queries[None, :, None]
    t = kind.shape[1]
    is_report_word = (keys == REPORT) & (torch.arange(keys.shape[-1], device=kind.device) < t)
    everything = (queries == REPORT)[None, :, None]
    return real & (own | is_report_word | everything)


class FusionLayer(nn.Module):
    """One pre-norm layer."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_ffn = (nn.LayerNorm(width) for _ in range(3))
        self.self_attention = Attention(width, heads)
        self.cross_attention = Attention(width, heads)
        self.ffn = Mlp(width, inner, width)

    def forward(self, z: Tensor, x: Tensor, mask: Bool[Tensor, "b 4 n"]) -> Float[Tensor, "b 4 d"]:
        """``z`` [b 4 d] queries, ``x`` [b n d] words."""
        q = self.norm_self(z)
        z = z + self.self_attention(q, q, q)
        z = z + self.cross_attention(self.norm_cross(z), x, x, mask)
        out: Tensor = z + self.ffn(self.norm_ffn(z))
        return out


class Fusion(nn.Module):
    """Word tokens to prior tokens. ``words_width`` is the width of the incoming tokens."""

    def __init__(self, words_width: int = 256, width: int = 256, heads: int = 8, inner: int = 1024) -> None:
        super().__init__()
        self.project = nn.Linear(words_width, width)
        self.norm_words = nn.LayerNorm(width)
        self.kinds = nn.Parameter(torch.randn(KINDS, width) * 0.02)
        self.nulls = nn.Parameter(torch.randn(KINDS, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(KINDS, width) * 0.02)
        self.layers = nn.ModuleList(FusionLayer(width, heads, inner) for _ in range(2))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Float[Tensor, "b t e"], kind: Int[Tensor, "b t"]) -> Float[Tensor, "b 4 d"]:
        """``kind`` is 0 location, 1 texture, 2 shape, 3 whole report, -1 padding."""
        b = tokens.shape[0]
        words = self.norm_words(self.project(tokens)) + self.kinds[kind.clamp(min=0)]
        x = torch.cat([words, self.nulls.expand(b, -1, -1)], 1)
        all_real = torch.cat([kind >= 0, torch.ones_like(kind[:, :1]).expand(-1, KINDS) > 0], 1)
        masks = (first_layer_mask(kind), all_real[:, None].expand(-1, KINDS, -1))
        z = self.queries.expand(b, -1, -1)
        for layer, mask in zip(self.layers, masks, strict=True):
            z = layer(z, x, mask)
        out: Tensor = self.norm(z)
        return out
