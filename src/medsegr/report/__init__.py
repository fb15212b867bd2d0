"""Text -> findings. ``parse`` reads reports, ``describe`` turns findings into data and back, ``lexicon``
holds the words."""
