-- When a person bound which card: a fresh card beside a fresh phone looks like a takeover.
create table decisions.cards (
    customer_id text not null,
    binding_id  text not null,
    at          timestamptz not null,
    primary key (customer_id, binding_id)
);
