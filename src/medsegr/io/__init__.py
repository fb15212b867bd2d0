"""Files and images: reading with limits and checked geometry, writing whole or not at all."""
