"""A foreign network as a host: steps through its encoder with a stop at every site, and asks its decoder.

By default nothing of it is trained but the mask decoder (what its further mask tokens make stays as it is:
a finding has one mask) and a small head that says whether the finding is there at all. What is not trained is
not saved: the state of this module is what was trained, and the rest comes from the host's own weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.errors import UsageError
from medsegr.nn.blocks import Mlp
from medsegr.sam.host import Clicks, Features, Modulate, Shared
from medsegr.sam.hosts.family import Asked, Family, Primed, Stage, centres
from medsegr.sam.hosts.lora import adapt
from medsegr.sam.mask_decoder import Decoded
from medsegr.sam.prompt_encoder import CORNER_A, CORNER_B, PADDING

FREEZE = ("encoder", "nothing", "all")
OURS = (0.5, 0.25)  # mean and deviation with which pixels come
SURE = 1e-3  # qualities are kept this far from 0 and 1, where logits end


@dataclass(frozen=True, slots=True)
class Identity:
    """Which host it is: ``name`` for people, ``sha256`` of its weights file (empty: random weights)."""

    name: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a host is used. ``used``: the sites at which modulators stand; what lies before the first is
    shared. ``lora``: rank of adapters on q and v, 0 for none; ``freeze``: ``encoder`` (the decoder is
    trained), ``nothing`` or ``all``. ``normal``: means and deviations of red, green and blue, None for the
    family's.
    """

    used: Sequence[int] = (0, 1, 2, 3)
    lora: int = 0
    freeze: str = "encoder"
    normal: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def __post_init__(self) -> None:
        """Refuses values that do not exist."""
        object.__setattr__(self, "used", tuple(self.used))
        if not self.used or list(self.used) != sorted(set(self.used)) or set(self.used) - {0, 1, 2, 3}:
            raise UsageError(f"sites: {list(self.used)[:9]} came, some of 0, 1, 2, 3 in order were expected")
        if self.freeze not in FREEZE:
            raise UsageError(f"freeze: {self.freeze[:20]!r} is not known; known are {', '.join(FREEZE)}")
        if not 0 <= self.lora <= 1024:
            raise UsageError(f"lora: the rank {self.lora} came where 0 (none) to 1024 was expected")
        if self.lora and self.freeze != "encoder":
            raise UsageError(f"lora: adapters need a frozen encoder, but freeze is {self.freeze}")


class Foreign(nn.Module):
    """``model`` of transformers, taken over, stepped through as its ``family`` says."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: Any, family: Family, setting: Setting, identity: Identity) -> None:
        super().__init__()
        self.identity, self.family, self.setting = identity, family, setting
        self.sites = tuple(family.sites(model)[i] for i in setting.used)
        self.width = self.summary = self.places = int(model.config.mask_decoder_config.hidden_size)
        decoder = model.mask_decoder
        if hasattr(decoder, "dynamic_multimask_via_stability"):
            decoder.dynamic_multimask_via_stability = False
        decoder.transformer = Primed(decoder.transformer, family.tokens(model))
        self.model = model
        self.presence = Mlp(3 * self.width + 1, self.width, 1)
        for parameter in self.presence.layers[-1].parameters():
            nn.init.zeros_(parameter)  # begins as the host's own verdict
        for value, name in zip(setting.normal or family.normal, ("mean", "deviation"), strict=True):
            self.register_buffer(name, torch.tensor(value)[:, None, None], persistent=False)
        self._freeze()
        adapt(model.vision_encoder, family.attention, setting.lora)
        self.register_state_dict_post_hook(_only_trained)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_nothing_frozen_missed)  # type: ignore[no-untyped-call]

    def _freeze(self) -> None:
        self.model.requires_grad_(self.setting.freeze == "nothing")
        if self.setting.freeze != "all":
            decoder = self.model.mask_decoder
            decoder.requires_grad_(True)
            for further in decoder.output_hypernetworks_mlps[1:]:
                further.requires_grad_(False)
        for name, parameter in self.model.named_parameters():
            if name.startswith(self.family.apart):  # nothing of it is used in training
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "Foreign":
        """Training mode; a frozen encoder stays as it is, with its running statistics."""
        super().train(mode)
        if self.setting.freeze != "nothing":
            self.model.eval()
        return self

    def frozen(self) -> Iterator[str]:
        """Names, within this module, of what is not trained."""
        for name, parameter in self.model.named_parameters(remove_duplicate=False):
            if not parameter.requires_grad:
                yield f"model.{name}"
        if self.setting.freeze != "nothing":
            for name, _ in self.model.named_buffers(remove_duplicate=False):
                yield f"model.{name}"

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> Shared:
        """Up to the first site that is used: no gradient where nothing of it is trained."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.grows):
            mean, deviation = OURS
            raw = pixels * deviation + mean
            stage = Stage(self.family.embed(self.model, (raw - self.mean) / self.deviation))
            for site in range(self.setting.used[0]):
                stage = self.family.advance(self.model, stage, site)
        return (stage.x, *stage.kept)

    @property
    def grows(self) -> bool:
        """Whether anything of the encoder is trained."""
        return self.setting.freeze == "nothing" or self.setting.lora > 0

    def position(self, h: int, w: int) -> Float[Tensor, "c h w"]:
        """SAM's own Fourier features."""
        place = self.model.shared_image_embedding
        out: Tensor = place(centres(h, w, place.positional_embedding))
        return out.permute(2, 0, 1)

    def encode(self, shared: Shared, modulate: Modulate | None = None) -> Features:
        """From :meth:`shared` on, with a stop at every site that is used."""
        stage = Stage(shared[0], tuple(shared[1:]))
        for site in range(self.setting.used[0], len(self.family.sites(self.model))):
            if modulate is not None and site in self.setting.used:
                stage = Stage(modulate(self.setting.used.index(site), stage.x), stage.kept)
            stage = self.family.advance(self.model, stage, site)
        return self.family.finish(self.model, stage)

    def decode(
        self, features: Features, clicks: Clicks, prior: Tensor | None = None, dense: Tensor | None = None
    ) -> Decoded:
        """One mask a row, at a quarter of the size."""
        answer = self.family.decode(self.model, features, self.asked(features, clicks, prior, dense))
        logits, iou = answer.masks[:, 0], answer.iou[:, 0]
        image = next(map_ for map_ in features.maps if tuple(map_.shape[-2:]) == features.grid)
        where = F.avg_pool2d(logits.detach()[:, None].sigmoid(), 4)  # masks have four times the grid
        meant = (image * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1e-6)
        words = torch.zeros_like(meant) if prior is None else prior
        there = self.presence(torch.cat([features.summary, meant, words, iou.detach()[:, None]], -1))[:, 0]
        bounded = iou.clamp(SURE, 1 - SURE).detach() + (iou - iou.detach())  # the gradient passes the cut
        return Decoded(logits, there if answer.presence is None else there + answer.presence, bounded.logit())

    def asked(
        self,
        features: Features,
        clicks: Clicks,
        prior: Tensor | None = None,
        dense: Tensor | None = None,
        several: bool = False,
    ) -> Asked:
        """Prompts as the decoder takes them; the arguments are those of :meth:`decode`."""
        b, (h, w) = features.summary.shape[0], features.grid  # a shape stays free in a graph, a len does not
        hint = self.mask_prompt(clicks, b, h, w)
        hint = hint if dense is None else hint + dense
        place = self.position(h, w)[None].repeat(b, 1, 1, 1)
        return Asked(self.points(clicks, b), hint, place, prior, several)

    def points(self, clicks: Clicks, b: int) -> Tensor | None:
        """Points and corners by the host's prompt encoder [b 1 n c]; None where there is none and the host
        takes none."""
        prompt = self.model.prompt_encoder
        at, kinds = clicks.points, clicks.kinds
        if at is None or kinds is None:
            if not self.family.padded:
                return None
            at = torch.full((b, 1, 2), 0.5 / prompt.input_image_size, device=self.mean.device)
            kinds = torch.full((b, 1), float(PADDING), device=self.mean.device)
        labels = torch.where(kinds == PADDING, -1, kinds).int()[:, None]
        sparse, _ = prompt(at[:, None] * prompt.input_image_size - 0.5, labels, None, None)
        if self.family.padded:
            return sparse  # type: ignore[no-any-return]
        corners = (labels == CORNER_A) | (labels == CORNER_B)
        if corners.any():  # SAM's points know no corners, and with a box it adds no empty point
            sparse = sparse[:, :, :-1]
            for kind in (CORNER_A, CORNER_B):
                sparse = sparse + (labels == kind)[..., None] * prompt.point_embed[kind].weight
        return sparse  # type: ignore[no-any-return]

    def mask_prompt(self, clicks: Clicks, b: int, h: int, w: int) -> Float[Tensor, "b c h w"]:
        """The dense prompt: a previous mask (logits) where there is one, else the host's "no mask"."""
        prompt = self.model.prompt_encoder
        none: Tensor = prompt.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(b, -1, h, w)
        if clicks.mask is None:
            return none
        if torch.onnx.is_in_onnx_export():  # there a mask that does not count may have any size
            full = F.interpolate(clicks.mask, (16 * h, 16 * w), mode="bilinear", align_corners=False)
            small = fourth(full)
        else:
            small = resized(clicks.mask, (4 * h, 4 * w))
        seen: Tensor = prompt.mask_embed(small)
        return (
            seen if clicks.has_mask is None else torch.where(clicks.has_mask[:, None, None, None], seen, none)
        )


def resized(maps: Float[Tensor, "b 1 h w"], size: tuple[int, int]) -> Float[Tensor, "b 1 y x"]:
    """Bilinear, antialiased: as the library resizes masks."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=False, antialias=True)


def fourth(maps: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 y x"]:
    """The same for a fourth of the size, as a convolution, which ONNX has: equal up to rounding."""
    one = torch.tensor([1.0, 3.0, 5.0, 7.0, 7.0, 5.0, 3.0, 1.0], device=maps.device, dtype=maps.dtype)
    kernel = (one[:, None] * one)[None, None]
    inside = F.conv2d(torch.ones_like(maps), kernel, stride=4, padding=2)  # less at the border
    return F.conv2d(maps, kernel, stride=4, padding=2) / inside


def _only_trained(module: Foreign, state: dict[str, Tensor], prefix: str, _told: Any) -> None:
    for name in module.frozen():
        state.pop(prefix + name, None)


def _nothing_frozen_missed(module: Foreign, keys: Any) -> None:
    frozen = set(module.frozen())
    keys.missing_keys[:] = [key for key in keys.missing_keys if not _ends(key) & frozen]


def _ends(key: str) -> set[str]:
    parts = key.split(".")
    return {".".join(parts[i:]) for i in range(len(parts))}
