"""What kind of image it is: by its header, by the words, by its looks; made or of a patient."""
