create schema channels;

create table channels.entry_states (
    entry_id text not null,
    k        int not null check (k >= 1),
    state    text not null check (state in ('configured', 'live', 'throttled', 'retired')),
    since    timestamptz not null,
    actor    text not null,
    why      text not null,
    primary key (entry_id, k)
);

-- A visit. The secrets are kept as hashes; the one of the page's address is good for one exchange.
create table channels.sessions (
    session_id        text primary key,
    entry_id          text not null,
    kind              text not null,
    partner_id        text not null,
    device_id         text not null,
    device            jsonb not null,
    scene             text not null default '',
    order_token       text not null default '',
    customer_id       text,
    partner_user_blind bytea,
    page_secret_hash  bytea not null unique,
    cookie_secret_hash bytea not null unique,
    exchanged_by      text check (exchanged_by in ('page', 'api')),
    opened_at         timestamptz not null,
    idle_until        timestamptz not null,
    ends_at           timestamptz not null check (ends_at > opened_at),
    ended_at          timestamptz,
    proven_blind      bytea,
    proven_until      timestamptz
);
create index sessions_customer on channels.sessions (customer_id, opened_at);
create index sessions_opened on channels.sessions (entry_id, opened_at);

-- Who an account of a platform is, once he has logged in with us from there.
create table channels.partner_users (
    owner       text not null,
    user_blind  bytea not null,
    customer_id text not null,
    linked_at   timestamptz not null,
    primary key (owner, user_blind)
);
create index partner_users_customer on channels.partner_users (customer_id);

create table channels.tokens (
    iss        text not null,
    jti        text not null,
    entry_id   text not null,
    session_id text not null,
    state      text not null check (state in ('issued', 'bound', 'consumed', 'expired')),
    sub_blind  bytea not null,
    expires_at timestamptz not null,
    seen_at    timestamptz not null,
    primary key (iss, jti)
);
create unique index tokens_session on channels.tokens (session_id);

-- By which entry, scene and partner a person came, each time he was recognized.
create table channels.attributions (
    customer_id text not null,
    session_id  text not null,
    entry_id    text not null,
    partner_id  text not null,
    scene       text not null,
    at          timestamptz not null,
    primary key (customer_id, session_id)
);
create index attributions_entry on channels.attributions (entry_id, at);

-- One-time codes that were asked for, so that nobody's phone is flooded.
create table channels.codes_sent (
    phone_blind bytea not null,
    check_id    text not null,
    at          timestamptz not null,
    primary key (phone_blind, check_id)
);
create index codes_sent_at on channels.codes_sent (phone_blind, at);
