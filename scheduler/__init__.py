"""Video meetings between partner cities: slots in every city's hours, invitations in every person's language."""
