"""Walking in latent space."""
