"""The database: tables, portable statements, queries and the unit of work. Nothing else knows SQL."""
