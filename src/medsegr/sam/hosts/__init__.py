"""Foreign hosts: SAM-like networks of the transformers library, with places where words can act.

Nothing of theirs is copied: a family (``vit.py``, ``hiera.py``, ``edgetam.py``, ``sam3.py``) says how to step
through the submodules of a loaded model, and ``foreign.py`` does it. transformers is imported when a host is
opened and not before.
"""
