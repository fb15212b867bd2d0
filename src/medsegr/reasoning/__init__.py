"""The two stages: words to prior tokens (cognitive), prior tokens acting on a host's features
(perceptual)."""
