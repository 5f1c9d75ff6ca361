"""Learning in cousins: adapters to the libraries that learn."""
