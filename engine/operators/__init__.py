"""Those who run the platform: who they are, what they do to it, the record of it, and what they see of its engine."""
