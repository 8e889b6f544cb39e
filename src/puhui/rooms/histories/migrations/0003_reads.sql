-- The last instant as of which a decision read a person's events (microseconds since 1970 UTC). What is appended afterwards is known after it, so a
-- history as of that instant stays the same bytes for ever.
create table histories.reads (
    customer_id  text not null primary key,
    at_us        bigint not null check (at_us >= 0)
);
