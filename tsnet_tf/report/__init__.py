"""Pictures of what was found and how the search went."""
