"""Made bodies, lesions and reports with exact truth: for training, tests and demonstrations."""

from medsegr.phantom.case import KINDS, make
from medsegr.phantom.maker import fingerprint
from medsegr.phantom.scene import Lesion, PhantomCase
from medsegr.phantom.write import write_set

__all__ = ["KINDS", "Lesion", "PhantomCase", "fingerprint", "make", "write_set"]
