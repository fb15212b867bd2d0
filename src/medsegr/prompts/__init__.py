"""Points, boxes and masks beside the words: checked, put before a model, and kept to.

``door`` checks what a person gives, ``ask`` puts it before a model, ``honour`` makes the mask keep to the
clicks, ``slices`` carries a correction through a volume, ``steps`` writes what was done to a file.
"""
