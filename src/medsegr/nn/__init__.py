"""Network blocks with three users or more; torch only, no knowledge of reports or prompts."""
