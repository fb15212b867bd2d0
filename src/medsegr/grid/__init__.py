"""Images as arrays: volumes as slices, intensities, sizes, how a mask looks. Numpy only."""
