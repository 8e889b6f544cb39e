"""The rooms: each a subject of the business, with its own tables and one door."""
