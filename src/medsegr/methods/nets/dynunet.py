"""nnU-Net's shape of network (Isensee et al. 2021): MONAI's DynUNet, plain 3x3 convolutions in pairs,
instance normalisation, leaky ReLU; hears no words and no clicks.

Five stages with nnU-Net's first widths and a cap at 256 channels: 5.1 million parameters, as many as ours.
It is nnU-Net's network and none of its pipeline: plans, patches, test-time mirroring and five folds are
left out, and so is deep supervision. All peers share our data, augmentation and loss.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from medsegr import predict
from medsegr.networks import EXTRA, Wordless
from medsegr.predict import Predictor
from medsegr.reasoning.codes import Vocabulary


def network(words: Vocabulary, channels: Sequence[int] = (32, 64, 128, 256, 256)) -> Wordless:
    """``channels`` of each stage (stride 1, 2, 4, ...). ``words`` are not used."""
    from monai.networks.nets import DynUNet

    strides = [1] + [2] * (len(channels) - 1)
    return Wordless(
        DynUNet(
            spatial_dims=2,
            in_channels=3,
            out_channels=1 + EXTRA,
            kernel_size=[3] * len(channels),
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=list(channels),
        )
    )


def build(untrained: bool = False, seed: int = 0, checkpoint: str | Path = "monai-dynunet") -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one for tests."""
    return predict.build(untrained, seed, checkpoint, partial(network, channels=(8, 12, 16)))
