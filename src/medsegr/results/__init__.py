"""A Result: why it is as it is, its picture, its files, and those files read again."""
