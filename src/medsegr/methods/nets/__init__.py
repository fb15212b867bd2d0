"""Networks that hear no words, behind the interface of all: what a comparison must contain."""

from medsegr.registry import Card

RANDOM = {"untrained": True, "seed": 0}

CARDS = (
    Card(
        "monai-unet",
        "medsegr.methods.nets.unet:build",
        "MONAI's residual U-Net: five stages, full resolution, no words",
        family="nets",
        dims=(2, 3),
        reads=("image",),
        needs=("monai",),
        extra="train",
        tiny=RANDOM,
        paper="Kerfoot et al. 2019, doi 10.1007/978-3-030-12029-0_40",
        network="medsegr.methods.nets.unet:network",
    ),
    Card(
        "monai-dynunet",
        "medsegr.methods.nets.dynunet:build",
        "MONAI's DynUNet: the plain convolutional U-Net in nnU-Net's shape, no words",
        family="nets",
        dims=(2, 3),
        reads=("image",),
        needs=("monai",),
        extra="train",
        tiny=RANDOM,
        paper="Isensee et al. 2021 (nnU-Net), doi 10.1038/s41592-020-01008-z",
        network="medsegr.methods.nets.dynunet:network",
    ),
)
