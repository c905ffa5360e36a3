"""What one model of the artifact costs, counted in the artifact's interpreter."""
