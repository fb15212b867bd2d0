"""What :mod:`medsegr.predict` asks of a network: rows, slices of a volume, a track, kept maps;
and what any model answers of findings."""
