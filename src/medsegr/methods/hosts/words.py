"""The words on a foreign host. The network itself is :func:`medsegr.networks.hosted`."""

from functools import partial
from pathlib import Path
from typing import Any

from medsegr import predict
from medsegr.errors import UsageError
from medsegr.networks import hosted
from medsegr.predict import Predictor


def build(
    host: str = "", checkpoint: str | Path = "", untrained: bool = False, seed: int = 0, **options: Any
) -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one on ``host`` for tests. UsageError for
    neither: we ship no checkpoint on a foreign host."""
    if not untrained and not checkpoint:
        raise UsageError(
            f"there is no trained checkpoint on '{host}': train one (medsegr train --host "
            f"{host or 'FOLDER'}) and give its folder"
        )
    small = {"prior": 32} if host.startswith("tiny:") else {}
    return predict.build(untrained, seed, checkpoint, partial(hosted, host=host, **{**small, **options}))
