"""Identity checks: four-factor, id card, face, name lists, one-time codes, places and records; every answer says `simulated`."""
