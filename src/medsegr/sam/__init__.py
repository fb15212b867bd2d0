"""The SAM-shaped default host: image encoder, prompt encoder, mask decoder. Knows nothing of reports."""
