"""The truth about the canary's data, and the judgement of what a restore brought back."""
