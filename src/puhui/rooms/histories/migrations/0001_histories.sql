create schema histories;

-- One asking of one source for one person, written before it is asked. `as_of` is the instant of the tap.
create table histories.fetches (
    customer_id  text not null,
    fetch_id     text not null,
    source       text not null,
    parent       text not null,
    consent_id   text not null,
    since        timestamptz not null,
    as_of        timestamptz not null check (as_of >= since),
    state        text not null check (state in ('asked', 'full', 'no_record', 'stale')),
    asked_at     timestamptz not null,
    ended_at     timestamptz,
    primary key (customer_id, fetch_id),
    unique (customer_id, parent, source),
    check ((state = 'asked') = (ended_at is null))
);
create index fetches_latest on histories.fetches (customer_id, source, as_of desc);

-- The person's log, append-only: pages of events as a source told them (and single events of our own), in the form of the wire, packed and
-- sealed. `n` is the place in the log; what a decision read is named by (customer, up to n) and the hash of the pages.
create table histories.log (
    customer_id  text not null,
    n            bigint not null check (n >= 1),
    source       text not null,
    fetch_id     text not null default '',
    consent_id   text not null default '',
    page         int not null default 1 check (page >= 1),
    events       int not null check (events >= 0),
    first_at     timestamptz,
    last_at      timestamptz,
    known_max    timestamptz,
    is_simulated boolean not null,
    sha256       bytea not null,
    sealed       bytea,
    recorded_at  timestamptz not null,
    erased_at    timestamptz,
    primary key (customer_id, n),
    check ((sealed is null) = (erased_at is not null))
);
create index log_fetch on histories.log (customer_id, fetch_id);

-- Bureau reports. `white` is an answer (found: false); `asked` is none yet, and never read as white.
create table histories.reports (
    customer_id  text not null,
    query_id     text not null,
    parent       text not null,
    reason       text not null,
    consent_id   text not null,
    as_of        timestamptz not null,
    state        text not null check (state in ('asked', 'found', 'white', 'refused')),
    code         text not null default '',
    sha256       bytea,
    sealed       bytea,
    asked_at     timestamptz not null,
    ended_at     timestamptz,
    erased_at    timestamptz,
    primary key (customer_id, query_id),
    unique (customer_id, parent, reason),
    check ((state = 'asked') = (ended_at is null))
);
