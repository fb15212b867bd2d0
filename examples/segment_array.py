"""An array in memory and a sentence in; masks, reasons and numbers out."""

import numpy as np

import medsegr
from medsegr.io.read import image_from_array
from medsegr.phantom import make


def main() -> None:
    case = make("chest", np.random.default_rng(3), size=256)
    image = image_from_array(case.image, spacing=(1.2, 1.2), modality=case.modality)
    sentence = next(lesion.phrase for lesion in case.lesions if lesion.phrase)
    result = medsegr.load().segment(image, text=f"There is {sentence}. No pneumothorax.")
    for found in result.findings:
        print(f"{found.finding.phrase!r}: {found.status} {found.reason or ''}")
        if found.measurements:
            area = found.measurements["area"]
            print(f"  area {area.value:.0f} {area.unit} ({area.status})")
        for check in found.checks:
            print(f"  {check.name}: {check.outcome}, {check.detail}")


if __name__ == "__main__":
    main()
