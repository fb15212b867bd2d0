"""What this process runs on: its processors, its device, and the silence of its libraries."""
