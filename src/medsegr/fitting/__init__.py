"""What the loop of :mod:`medsegr.fit` is made of: its configuration, cases, state, logs and checks."""
