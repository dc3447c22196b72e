"""What operators are told: activity over time, the token table, one token's life, cohorts of traders."""
