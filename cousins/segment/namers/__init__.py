"""Back-ends that name what a picture shows."""
