-- The events that derived variables read, a sealed blob a person and table: all versions of its rows, the fetches that brought them, and their
-- consents. `place` counts the appends, so it is the position in the log; what was known at an instant is cut by the rows' own known times.
create table histories.events (
    customer_id  text not null,
    event_table  text not null,
    place        bigint not null check (place >= 1),
    sha256       bytea not null,
    sealed       bytea,
    recorded_at  timestamptz not null,
    erased_at    timestamptz,
    primary key (customer_id, event_table),
    check ((sealed is null) = (erased_at is not null))
);
