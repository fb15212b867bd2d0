"""``python -m medsegr``: the command line."""

import sys

from medsegr.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
