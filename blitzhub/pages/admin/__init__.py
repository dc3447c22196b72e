"""The operators' pages: one frame, and the guard of their handlers. What they show comes from /api/admin as well."""
