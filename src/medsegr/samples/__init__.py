"""What is trained and judged on: folders of masks as rows, what is asked of a picture, batches."""
