"""What the server says of its model."""

from dataclasses import replace

import pytest

from medsegr import weights
from medsegr.serve.capabilities import model_info
from served import Asked


@pytest.mark.weights
def test_what_made_images_alone_taught_is_told(server: Asked) -> None:
    told = model_info(replace(server.service.settings, model=weights.DEFAULT))
    assert {"kidney", "nodule"} <= set(told.made_only) < set(told.concepts)
    assert not {"polyp", "nucleus"} & set(told.made_only)
