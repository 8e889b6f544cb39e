create table foundation.flows (
    flow_id     text primary key,
    customer_id text not null,
    kind        text not null,
    subject     text not null,
    step        text not null,
    state       jsonb not null,
    due         timestamptz not null,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    owner       text,
    lease_until timestamptz,
    token       bigint not null default 0,
    attempts    int not null default 0 check (attempts >= 0)
);
create index flows_due on foundation.flows (due, flow_id) where ended_at is null;
create index flows_customer on foundation.flows (customer_id);

create table foundation.events (
    seq         bigint generated always as identity primary key,
    kind        text not null,
    customer_id text not null,
    at          timestamptz not null,
    body        jsonb not null,
    answered_at timestamptz
);
create index events_unanswered on foundation.events (seq) where answered_at is null;
create index events_customer on foundation.events (customer_id, seq);

create table foundation.parked_events (
    seq bigint primary key references foundation.events (seq),
    why text not null,
    at  timestamptz not null
);

create table foundation.callbacks (
    service     text not null,
    event_id    text not null,
    kind        text not null,
    subject     text not null,
    seq         bigint not null,
    at          timestamptz not null,
    data        jsonb not null,
    received_at timestamptz not null,
    read_at     timestamptz,
    tries       int not null default 0,
    why         text,
    primary key (service, event_id)
);
create index callbacks_unread on foundation.callbacks (received_at) where read_at is null;
create index callbacks_subject on foundation.callbacks (service, subject, seq);

create table foundation.receipts (
    sender text not null,
    key    text not null,
    digest bytea not null,
    status int not null,
    body   bytea not null,
    at     timestamptz not null,
    primary key (sender, key)
);

create table foundation.clock (
    one        boolean primary key check (one),
    mode       text not null,
    since_at   timestamptz not null,
    since_real double precision not null,
    speed      int not null,
    tick_s     int not null
);

create table foundation.switches (
    name  text primary key,
    is_on boolean not null,
    at    timestamptz not null,
    actor text not null
);
