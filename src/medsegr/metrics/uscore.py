"""U-Score of U-Bench (arXiv 2510.07041): how good a network is for what it costs, in one number.

Accuracy ``a`` is the IoU between the 10 % and the 90 % quantile of the compared methods; thrift is the
harmonic mean of three terms for parameters, operations and images a second, each between its own quantiles,
the first two on a logarithmic scale. Every term lies in [0.05, 1]. ``U = 100 * harmonic mean(a, thrift)``.

The scale of images a second is that of one machine. Scores are comparable among methods that were timed on
the same device only, and quantiles of IoU among methods on the same images only.
"""

import math
from dataclasses import dataclass

from medsegr.errors import InputError

FLOOR = 0.05
PARAMETERS = (math.exp(0.39), math.exp(4.32))  # millions: 10 % and 90 % quantile of the paper's pool
OPERATIONS = (math.exp(0.88), math.exp(4.20))  # 10^9 floating-point operations an image
SPEED = (24.28, 121.63)  # images a second


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs: millions of parameters, 10^9 operations an image, images a second. All above
    0."""

    parameters: float
    operations: float
    speed: float


@dataclass(frozen=True, slots=True)
class UScore:
    """The score in [5, 100] and its terms, each in [0.05, 1]."""

    score: float
    accuracy: float
    parameters: float
    operations: float
    speed: float


def u_score(iou: float, quantiles: tuple[float, float], cost: Cost) -> UScore:
    """The U-Score of one method.

    Args:
        iou: its mean IoU, in [0, 1].
        quantiles: 10 % and 90 % quantile of IoU over the compared methods on the same images. Where they are
            equal the method is as good as all others, and its accuracy term is 1 from there on, else 0.05.
        cost: of one image, measured on one device for all.

    Raises:
        InputError: a value is not a finite number of its range.
    """
    values = (cost.parameters, cost.operations, cost.speed)
    if not all(math.isfinite(v) and v > 0 for v in values) or not 0 <= iou <= 1:
        raise InputError(f"IoU {iou} and cost {values}: IoU in [0, 1] and costs above 0 were expected")
    low, high = quantiles
    if not low <= high:
        raise InputError(f"quantiles {low} and {high}: the lower one first was expected")
    a = _share(iou, low, high) if high > low else (1.0 if iou >= high else FLOOR)
    p, g = (
        _share(-math.log(value), -math.log(most), -math.log(least))
        for value, (least, most) in ((cost.parameters, PARAMETERS), (cost.operations, OPERATIONS))
    )
    s = _share(cost.speed, *SPEED)
    thrift = 3 / (1 / p + 1 / g + 1 / s)
    return UScore(100 * 2 / (1 / a + 1 / thrift), a, p, g, s)


def _share(value: float, low: float, high: float) -> float:
    return max(FLOOR, min(1.0, (value - low) / (high - low)))
