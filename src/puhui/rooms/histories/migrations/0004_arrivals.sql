-- Rows of our own logs (app, repayment) as the outbox told them, each sealed, until the person's history is next read: then they move into his blob.
-- So following the outbox costs one insert a batch, whatever the size of a history.
create table histories.arrivals (
    customer_id  text not null,
    seq          bigint not null,
    event_table  text not null,
    sealed       bytea not null,
    recorded_at  timestamptz not null,
    primary key (customer_id, seq)
);
