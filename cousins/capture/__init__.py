"""From a phone export to posed frames in metres, z up."""
