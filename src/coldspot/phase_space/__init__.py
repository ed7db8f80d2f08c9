"""Phase-space diffusion: a particle with position and velocity in a thermal bath."""
