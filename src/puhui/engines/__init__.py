"""What only computes: arithmetic of schedules, law as dated data, variables, rules, models. No database, no network, no clock."""
