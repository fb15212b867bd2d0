"""Teach the image-only head what a picture shows, on a network that is frozen: last stage of a checkpoint.

A concept that is marked in a picture is there; one that is found in other kinds of pictures alone is not; of
the rest nobody knows. Masks stay what they were, bit for bit. ``python -m medsegr.training.image_head``
writes the checkpoint with its new head and, in the card, the kinds and what the head makes of pictures that
it was not taught with.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr import data, weights
from medsegr.errors import UsageError
from medsegr.grid.pixels import to_bytes
from medsegr.io.read import image_from_array
from medsegr.modality.kinds import NAMES, SURE, kinds_in, limit
from medsegr.predict import Predictor, load
from medsegr.process.program import one_line
from medsegr.samples.panels import FOUR, beside
from medsegr.training.averaging import read, store
from medsegr.types import Image

BELOW = 0.1  # chance of its own kind below which a thing is taken not to be in a picture of another kind
DARK = 0.06  # of the range of values: a margin is no brighter
SLICES = (0.25, 0.5, 0.75)  # of a volume's height: those that are seen
SEVERAL = "several"  # pictures of several kinds
WIDEST = 0.35  # of a side of the picture: margin that is put around it
STEPS, RATE, DECAY = 400, 2e-3, 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as the head sees it: ``summary`` [views w], what is ``shown``, what is marked as ``gone``.
    Several beside each other are of as many ``kinds``."""

    kinds: tuple[str, ...]
    modality: str | None
    shown: frozenset[str]
    gone: frozenset[str]
    summary: Float[Tensor, "views w"]
    whole: bool = False  # everything of its kind is marked: a made picture


def read_kinds(path: Path) -> Mapping[str, Sequence[str]]:
    """Kinds of pictures and the sets that hold them ("phantom chest": made ones), of a table ``[kinds]``."""
    told = tomllib.loads(path.read_text(encoding="utf-8")).get("kinds")
    if not isinstance(told, dict) or len(told) < 2:
        raise UsageError(f"{path.name}: a table [kinds] with two kinds or more was expected")
    return told


def read_names(path: Path) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """What else reports call the concepts of sets (``[also]``, :func:`medsegr.modality.kinds.called`), which
    words for many things may mean them (``[loose]``, :func:`medsegr.modality.kinds.loosely`), what they
    know in parts only (``[parts]``, :mod:`medsegr.meaning.wholes`), and what is not there where another is
    (``[rivals]``, :func:`medsegr.modality.kinds.doubt`): as it stands in the card."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: told.get(key, {}) for key in NAMES}


def pictures(
    source: str, root: Path, held_out: bool, most: int
) -> Iterator[tuple[Image, set[str], set[str]]]:
    """(image, names that are shown, names that are marked as not there) of at most ``most``."""
    done = 0
    if source.startswith("phantom "):
        made = data.make_phantoms(source.partition(" ")[2], 9100 + held_out, most // (4 if held_out else 1))
        for one in made:
            case = data.phantom_case(one)
            pixels = np.moveaxis(one.pixels, 0, -1) if len(one.pixels) == 3 else one.pixels[0]
            image = image_from_array(pixels, modality=one.modality)
            names: tuple[set[str], set[str]] = (set(), set())  # shown, not there
            for i, target in enumerate(case.targets):
                concepts = {name.partition(":")[2] for name in target.names if name.startswith("concept:")}
                names[case.marks([i]).absent].update(concepts)
            yield image, names[0], names[1] - names[0]
        return
    for _, image, drawn in data.read_drawn(root / source, held_out=held_out):
        if not drawn:
            continue
        shown = {finding.name for finding, marks in drawn if marks.mask.any()}
        open_ = {finding.name for finding, marks in drawn if marks.unknown is not None}
        yield image, shown, {finding.name for finding, _ in drawn} - shown - open_
        done += 1
        if done == most:
            return


def relit(image: Image, rng: np.random.Generator) -> Image:
    """The picture in another light, with noise."""
    values = image.data.astype(np.float32)
    low, span = values.min(), max(float(np.ptp(values)), 1e-6)
    lit = ((values - low) / span) ** float(rng.uniform(0.6, 1.6)) + rng.normal(0, 0.03, values.shape)
    return replace(image, data=(lit.clip(0, 1) * span + low).astype(image.data.dtype))


def reframed(image: Image, rng: np.random.Generator) -> Image:
    """The picture without its dark margins and with others, each side's by chance, often none: what a picture
    shows is not known by them, and screens and scanners put them around anything. A volume stays as it is."""
    if len(image.grid) == 3:
        return image
    bright = image.data.max(0) > image.data.min() + DARK * np.ptp(image.data)
    if not bright.any():
        return image
    (top, bottom), (left, right) = (np.flatnonzero(bright.any(axis))[[0, -1]] for axis in (1, 0))
    inside = image.data[:, top : bottom + 1, left : right + 1]
    share = rng.uniform(0, WIDEST, 4) * (rng.random(4) < 0.7)
    h, w = inside.shape[1:]
    up, down, before, behind = (int(part * n) for part, n in zip(share, (h, h, w, w), strict=True))
    around = ((0, 0), (up, down), (before, behind))
    return replace(image, data=np.pad(inside, around, constant_values=image.data.min()))


def summary_of(predictor: Predictor, image: Image, share: float | None = None) -> Float[Tensor, "ways w"]:
    """What the head is given of a picture and of its mirror image, or of the slice at ``share`` of a volume's
    height, when nothing is said."""
    held: list[Tensor] = []
    head = cast(nn.Module, predictor.model).get_submodule("attributes")
    hook = head.register_forward_pre_hook(lambda _, given: held.append(given[0].detach().clone()))
    try:
        predictor.shown(image, share)
    finally:
        hook.remove()
    return torch.cat(held)


def looks(
    predictor: Predictor,
    kinds: Mapping[str, Sequence[str]],
    root: Path,
    held_out: bool,
    most: int,
    margins: bool = False,
) -> list[Look]:
    """Every picture of a part of the sets as the head sees it, of a volume :data:`SLICES`: held-out ones as
    they are, or with other ``margins``; the rest in several ways."""
    rng = np.random.default_rng(5)
    found = []
    for kind, sources in kinds.items():
        for source in sources:
            for image, shown, gone in pictures(source, root, held_out, most):
                views = [reframed(image, rng) if margins else image]
                if not held_out:
                    lit = relit(image, rng)
                    views += [lit, reframed(image, rng), reframed(lit, rng)]
                whole = source.startswith("phantom ")
                told = ((kind,), image.modality, frozenset(shown), frozenset(gone))
                for share in SLICES if len(image.grid) == 3 else (None,):
                    seen = torch.cat([summary_of(predictor, view, share) for view in views])
                    found.append(Look(*told, seen, whole))
        print(kind, sum(look.kinds == (kind,) for look in found), flush=True)
    return found


def panels(
    predictor: Predictor, kinds: Mapping[str, Sequence[str]], root: Path, held_out: bool, most: int
) -> list[Look]:
    """Pictures of a part of the sets, two or four kinds beside each other, ``most`` times over, as the head
    sees them; nobody says of what modality they are."""
    rng = np.random.default_rng(6)
    known: dict[str, list[tuple[np.ndarray, set[str]]]] = {}
    for kind, sources in kinds.items():
        for source in sources:
            for image, names, _ in pictures(source, root, held_out, -(-most // len(kinds))):
                if len(image.grid) == 2 and names:
                    pixels = np.broadcast_to(to_bytes(image), (3, *image.grid))
                    known.setdefault(kind, []).append((pixels, names))
    found = []
    for _ in range(most if len(known) > 1 else 0):
        own = rng.permutation(sorted(known))[: 4 if len(known) > 3 and rng.random() < FOUR else 2].tolist()
        shown = [known[kind][int(rng.integers(len(known[kind])))] for kind in own]
        picture = image_from_array(np.moveaxis(beside([pixels for pixels, _ in shown], rng)[0], 0, -1))
        there = frozenset[str]().union(*(names for _, names in shown))
        found.append(Look(tuple(own), None, there, frozenset(), summary_of(predictor, picture)))
    return found


def concepts_by_kind(found: Iterable[Look], known: Iterable[str]) -> dict[str, list[str]]:
    """The concepts of a checkpoint that the pictures of each kind show."""
    names: dict[str, set[str]] = {}
    for look in found:
        names.setdefault(look.kinds[0], set()).update((look.shown | look.gone) & set(known))
    return {kind: sorted(own) for kind, own in names.items() if own}


def truth_of(look: Look, codes: Sequence[str], kinds: Mapping[str, Sequence[str]]) -> Float[Tensor, " v"]:
    """1 for what is shown, 0 for what is not there, NaN where nobody knows."""
    own = {name for kind in look.kinds for name in kinds.get(kind, ())}
    elsewhere = {name for names in kinds.values() for name in names} - own
    value = {f"concept:{name}": 0.0 for name in elsewhere | look.gone | (own if look.whole else set())}
    value |= {f"concept:{name}": 1.0 for name in look.shown}
    return torch.tensor([value.get(code, float("nan")) for code in codes])


def fit(
    head: nn.Module, found: Sequence[Look], codes: Sequence[str], kinds: Mapping[str, Sequence[str]]
) -> None:
    """Train ``head`` in place; every kind counts alike, as do the pictures of several, and a concept's yes
    and no do."""
    torch.manual_seed(0)
    sorts = [SEVERAL if len(look.kinds) > 1 else look.kinds[0] for look in found]
    many = Counter(sorts)
    seen, truth, share = [], [], []
    for look, sort in zip(found, sorts, strict=True):
        if sort == SEVERAL or sort in kinds:
            seen.append(look.summary)
            truth.append(truth_of(look, codes, kinds).expand(len(look.summary), -1))
            share.append(torch.full((len(look.summary), 1), 1 / (many[sort] * len(look.summary))))
    given, wanted, weight = torch.cat(seen), torch.cat(truth), torch.cat(share)
    weight = weight * (~wanted.isnan())
    for value in (0, 1):  # each concept's pictures with it weigh as much as those without
        where = (wanted == value) * weight
        weight = torch.where(wanted == value, weight / where.sum(0).clamp(min=1e-9), weight)
    wanted = wanted.nan_to_num(0.0)
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    spread = given.std()
    for _ in range(STEPS):
        noisy = given + 0.1 * spread * torch.randn_like(given)
        loss = F.binary_cross_entropy_with_logits(head(noisy), wanted, reduction="none")
        optimiser.zero_grad()
        (loss * weight).sum().div(len(codes)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def judged(
    head: nn.Module, found: Sequence[Look], codes: Sequence[str], card: Mapping[str, Any]
) -> dict[str, Any]:
    """Of pictures that the head was not taught with: things that are shown and would be refused, and things
    of another kind of the same modality that would be let through, each with the number that was asked."""
    lost, passed = [], []
    for look in found:
        with torch.inference_mode():
            p = head(look.summary[:2]).sigmoid().mean(0).tolist()
        chances = {c.partition(":")[2]: v for c, v in zip(codes, p, strict=True) if c.startswith("concept:")}
        told = kinds_in(card, look.modality)
        if len(told) < 2:
            continue
        own = {name for kind in look.kinds for name in told.get(kind, ())}
        lost += [limit(name, chances, told, BELOW) < SURE for name in sorted(look.shown & own)]
        others = sorted({name for names in told.values() for name in names} - own)
        passed += [limit(name, chances, told, BELOW) >= SURE for name in others]
    return {"shown": len(lost), "refused": sum(lost), "foreign": len(passed), "let through": sum(passed)}


def teach(name: str, kinds_file: Path, root: Path, folder: Path, most: int) -> dict[str, Any]:
    """Train the head and write the checkpoint into ``folder``; gives what :func:`judged` says of pictures as
    they are, in other margins and beside each other, as it stands in the card."""
    predictor = load(name, device="cpu")
    head = cast(nn.Module, predictor.model).get_submodule("attributes")
    sources = read_kinds(kinds_file)
    found = looks(predictor, sources, root, False, most)
    codes = predictor.words.codes
    kinds = concepts_by_kind(found, predictor.card["concepts"])
    fit(head, found + panels(predictor, sources, root, False, 3 * most), codes, kinds)
    card = {**predictor.card, "kinds": kinds, "kinds_below": BELOW, **read_names(kinds_file)}
    unseen = {
        "kinds_judged": looks(predictor, sources, root, True, most),
        "kinds_judged_in_margins": looks(predictor, sources, root, True, most, margins=True),
        "kinds_judged_in_panels": panels(predictor, sources, root, True, most),
    }
    told = {key: judged(head, held, codes, card) for key, held in unseen.items()}
    tensors, notes = read(weights.find(name)[0])
    for key, value in head.state_dict().items():
        tensors[f"attributes.{key}"] = value.to(tensors[f"attributes.{key}"].dtype)
    store(tensors, notes, card | told, folder)
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.training.image_head", description="Teach the image-only head."
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", type=Path, required=True, help="TOML with a table [kinds]")
    parser.add_argument("--model", default=weights.DEFAULT)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--most", type=int, default=80, help="pictures of each set")
    given = parser.parse_args(arguments)
    print(teach(given.model, given.kinds, given.data, given.folder, given.most))


if __name__ == "__main__":
    sys.exit(one_line(main))
