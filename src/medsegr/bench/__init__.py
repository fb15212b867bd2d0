"""Judging: methods on sets with masks under right and wrong words (``run``, ``results``, ``compare``),
reading of reports (``reports``), a checkpoint's own numbers (``validate``, ``card``), and seconds and
memory (``speed``), which are printed and never asserted: machines differ.
"""
