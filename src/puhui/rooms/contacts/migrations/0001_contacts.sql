create schema contacts;

create table contacts.message_orders (
    customer_id   text not null,
    message_id    text not null,
    channel       text not null check (channel in ('sms', 'call')),
    purpose       text not null check (purpose in ('service', 'reminder', 'collection', 'marketing')),
    template      text not null,
    params        jsonb not null,
    subject       text not null,
    state         text not null check (state in ('waiting', 'allowed', 'sent', 'delivered', 'failed', 'ended', 'refused')),
    code          text,
    wanted_at     timestamptz not null,
    expires_at    timestamptz not null check (expires_at > wanted_at),
    sent_at       timestamptz,
    ended_at      timestamptz,
    primary key (customer_id, message_id)
);
create index message_orders_subject on contacts.message_orders (customer_id, subject);
create unique index message_orders_id on contacts.message_orders (message_id);

-- Every asking of the gate, allowed or refused, with the packs it was judged by. Kept as long as the law on collection records says.
create table contacts.attempts (
    customer_id   text not null,
    message_id    text not null,
    k             int not null check (k >= 1),
    channel       text not null,
    purpose       text not null,
    local_day     date not null,
    at            timestamptz not null,
    verdict       text not null,
    versions      text[] not null,
    is_answered   boolean not null default false,
    primary key (customer_id, message_id, k)
);
create index attempts_day on contacts.attempts (customer_id, local_day);

create table contacts.opt_outs (
    customer_id   text not null,
    purpose       text not null check (purpose in ('service', 'reminder', 'collection', 'marketing')),
    since         timestamptz not null,
    until         timestamptz,
    primary key (customer_id, purpose, since)
);

create table contacts.call_turns (
    customer_id   text not null,
    message_id    text not null,
    k             int not null check (k >= 1),
    said_by       text not null check (said_by in ('agent', 'person')),
    text_sealed   bytea not null,
    primary key (customer_id, message_id, k)
);
