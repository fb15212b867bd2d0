"""Made bodies, lesions and reports with exact truth: for training, for tests, for the demo of every control."""

from medsegr.phantom.make import KINDS, make
from medsegr.phantom.scene import Lesion, PhantomCase
from medsegr.phantom.write import write_set

__all__ = ["KINDS", "Lesion", "PhantomCase", "make", "write_set"]
