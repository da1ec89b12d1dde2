"""What leaves, is it allowed, did it arrive: declarations, and the engine that carries them out."""
