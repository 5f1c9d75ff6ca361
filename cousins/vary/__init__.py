"""From a twin to its cousins: what may vary, by how much, and what must stay."""
