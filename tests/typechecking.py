"""The checker that runs behind every annotation of the package while tests run (``--jaxtyping-packages`` in
pyproject.toml).
"""

from beartype import BeartypeConf, beartype

# PEP 484's numeric tower: an int is a float, as mypy has it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
