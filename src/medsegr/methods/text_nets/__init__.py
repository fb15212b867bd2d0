"""Networks that hear the words in another way than ours does, behind the interface of all."""

from medsegr.registry import Card

RANDOM = {"untrained": True, "seed": 0}

CARDS = (
    Card(
        "decoder-only",
        "medsegr.methods.text_nets.decoder_only:build",
        "our host with the words as four prompt tokens of its decoder, the encoder hears nothing",
        family="text_nets",
        dims=(2, 3),
        reads=("image", "text", "points", "boxes", "mask"),
        tiny=RANDOM,
        paper="after TextSAM-EUS (arXiv 2507.18082); own code, codes in place of a language model",
        network="medsegr.methods.text_nets.decoder_only:network",
    ),
    Card(
        "lvit-like",
        "medsegr.methods.text_nets.lvit:build",
        "a U-Net beside a transformer over patches, to whose first level the words are added",
        family="text_nets",
        dims=(2, 3),
        reads=("image", "text"),
        tiny=RANDOM,
        paper="after LViT (arXiv 2206.14718); own code, codes in place of a language model",
        network="medsegr.methods.text_nets.lvit:network",
    ),
    Card(
        "languide-like",
        "medsegr.methods.text_nets.languide:build",
        "our image encoder with a decoder that attends to the words at three scales",
        family="text_nets",
        dims=(2, 3),
        reads=("image", "text"),
        tiny=RANDOM,
        paper="after LanGuideMedSeg (arXiv 2307.03942); own code, codes in place of a language model",
        network="medsegr.methods.text_nets.languide:network",
    ),
)
