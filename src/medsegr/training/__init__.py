"""From folders of images and masks to a checkpoint that can be shipped."""
