"""MONAI's U-Net with residual units (Kerfoot et al. 2019, "Left-Ventricle Quantification Using Residual
U-Net"), as the library has it; hears no words and no clicks.

Instance normalisation, PReLU, strided convolutions down and transposed ones up: 5.0 million parameters, as
many as ours. Works at the full resolution of its input.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from medsegr import predict
from medsegr.networks import EXTRA, Wordless
from medsegr.predict import Predictor
from medsegr.reasoning.codes import Vocabulary


def network(words: Vocabulary, channels: Sequence[int] = (32, 64, 128, 256, 384), units: int = 2) -> Wordless:
    """``channels`` of each stage (stride 1, 2, 4, ...), ``units`` convolutions in each. ``words`` are not
    used."""
    from monai.networks.nets import UNet

    return Wordless(
        UNet(
            spatial_dims=2,
            in_channels=3,
            out_channels=1 + EXTRA,
            channels=tuple(channels),
            strides=(2,) * (len(channels) - 1),
            num_res_units=units,
        )
    )


def build(untrained: bool = False, seed: int = 0, checkpoint: str | Path = "monai-unet") -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one for tests."""
    return predict.build(untrained, seed, checkpoint, partial(network, channels=(8, 12, 16), units=1))
