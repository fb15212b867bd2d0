"""Measuring: speed and memory of the main job (``speed``). Numbers are printed, never asserted: machines
differ.
"""
