"""The server: HTTP, a queue that outlives it, workers that hold the model, and what the viewer asks for."""
