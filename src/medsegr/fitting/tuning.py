"""What of the network is trained: all of it, all but the image encoder, the stages of the words alone, these
with low-rank adapters in the host's attention, or the presence score alone, which leaves every mask as it is.

What of a host is not trained keeps its running statistics, too: twenty images say nothing about those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from medsegr.errors import MissingExtra, UsageError
from medsegr.model import build_model
from medsegr.nn.blocks import Attention, LinearAttention
from medsegr.reasoning.codes import Vocabulary


def prepare(model: Any, tune: str, rank: int) -> int:
    """Freeze what ``tune`` (``all``, ``decoder``, ``words``, ``lora`` or ``presence``) leaves alone, and put
    adapters of ``rank`` in place. Returns the rank of the adapters that are there now, 0 for none.

    A network on a foreign host says itself what is trained (``built``, and nothing else fits it).
    """
    foreign = identity(model) is not None
    if foreign != (tune == "built"):
        own = "all, decoder, words, lora or presence"
        fit = "built, with the host's own freeze and lora" if foreign else own
        raise UsageError(f"tune = {tune} does not fit this network; use {fit}")
    if tune in ("all", "built"):
        return 0
    if not hasattr(model, "host"):
        raise UsageError(f"tune = {tune} needs a network that stands on a host; use tune = all for this one")
    if tune == "decoder":
        model.host.image_encoder.requires_grad_(False)
        return 0
    model.host.requires_grad_(False)
    if tune == "presence":
        model.requires_grad_(False)
        model.host.mask_decoder.presence.requires_grad_(True)
    if tune in ("words", "presence"):
        return 0
    adapt(model, rank)
    return rank


def ready(model: Any, tune: str) -> None:
    """Training mode, with the running statistics held of what is not trained."""
    model.train(tune != "presence")  # a foreign host holds still by itself
    if tune == "decoder":
        model.host.image_encoder.eval()
    elif tune not in ("all", "built"):
        model.host.eval()


def identity(model: Any) -> Any:
    """Which foreign host the network stands on (``name``, ``sha256``), None for our own."""
    return getattr(getattr(model, "host", None), "identity", None)


def adapt(model: Any, rank: int) -> None:
    """Low-rank adapters (LoRA, arXiv 2106.09685; peft) on the linear and ungrouped 1x1 layers of the host's
    attention. They begin at zero."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtra(
            "tune = lora needs peft: pip install 'medsegr[train]'; or choose tune = words or all"
        ) from error
    names = list(adapted(model.host))
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names, lora_dropout=0.0)
    inject_adapter_in_model(config, model.host)


def adapted(host: nn.Module) -> Iterator[str]:
    """Names of the layers of the host that get an adapter."""
    for outer, block in host.named_modules():
        if isinstance(block, Attention | LinearAttention):
            for inner, layer in block.named_modules():
                plain_conv = (
                    isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
                )
                if plain_conv or isinstance(layer, nn.Linear):
                    yield f"{outer}.{inner}"


def plain(state: Mapping[str, Tensor], words: Vocabulary, rank: int) -> dict[str, Tensor]:
    """A state with adapters of ``rank`` as that of the network without: the adapters are added to their
    layers. With rank 0 the state itself."""
    if not rank:
        return dict(state)
    model = build_model(words)
    adapt(model, rank)
    model.load_state_dict(dict(state))
    for module in model.modules():
        if hasattr(module, "merge") and hasattr(module, "lora_A"):
            module.merge()  # type: ignore[operator]
    return {
        name.replace(".base_layer.", "."): value
        for name, value in model.state_dict().items()
        if ".lora_" not in name
    }
