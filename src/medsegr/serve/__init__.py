"""The server: HTTP, jobs, tokens, DICOMweb and the web viewer. Nothing of it is built yet."""
