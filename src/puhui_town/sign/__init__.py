"""The signing authority: certificates for a day, signatures under a one-time code, time stamps, revocations. A mechanism, no legal claim."""
