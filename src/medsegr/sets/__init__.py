"""Sets for training and judging, made from sets that exist: reports written from masks, and pictures of which
the words decide what is meant."""
